"""More than ten thousand real rows, English and Chinese, go all the way: checked, cleaned, mixed, packed."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trl

from tunesmith import api
from tunesmith.data.chat import Encoded, Encoder
from tunesmith.data.formats import Example, examples
from tunesmith.data.packing import UNLEARNED, packed
from tunesmith.data.reading import Fault, read_rows
from tunesmith.data.scanning import recognised
from tunesmith.data.tokenizer import choose_template, load_tokenizer
from tunesmith.data.truncating import Losses, Truncating, truncate

DATA = Path(__file__).parent / "data"
TEMPLATE = Path(trl.__file__).parent / "chat_templates" / "llama3.jinja"
SEQUENCE = 1024


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the real rows by name, 10,748 in all, and the folder of a real tokenizer."""
    folder = tmp_path_factory.mktemp("real")
    found = {}
    for packed_ in (DATA / "corpus").glob("*.xz"):
        found[packed_.stem.partition(".")[0]] = folder / packed_.stem
        (folder / packed_.stem).write_bytes(lzma.decompress(packed_.read_bytes()))
    (folder / "model").mkdir()
    text = lzma.decompress((DATA / "tokenizer" / "tokenizer.json.xz").read_bytes())
    (folder / "model" / "tokenizer.json").write_bytes(text)
    config = (DATA / "tokenizer" / "tokenizer_config.json").read_bytes()
    (folder / "model" / "tokenizer_config.json").write_bytes(config)
    return {**found, "model": folder / "model"}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_every_real_row_is_checked(files: dict[str, Path]) -> None:
    """All rows of the three files are read, none is refused, and what is found names rows that exist."""
    rows = {}
    for name in ("instructions", "more", "chats"):
        report = api.check_data(files[name], model=files["model"], sequence_length=SEQUENCE)
        rows[name] = report.rows
        assert report.rows == len(_lines(files[name]))
        assert "unreadable" not in {each.check for each in report.findings}
        assert all(0 <= row < report.rows for each in report.findings for row in each.rows)
        json.dumps(report.to_mapping(), allow_nan=False)
    assert sum(rows.values()) >= 10_000


def test_cleaning_loses_no_real_row_in_silence(files: dict[str, Path], tmp_path: Path) -> None:
    """Every row stands in the cleaned file or among the rejected with a reason; the input stays as it was."""
    before = files["more"].read_bytes()
    cleaned = api.clean_data(files["more"], tmp_path / "clean.jsonl")
    kept, rejected = _lines(tmp_path / "clean.jsonl"), _lines(tmp_path / "clean.rejected.jsonl")
    assert len(kept) + len(rejected) == cleaned.before.rows == len(before.splitlines())
    assert cleaned.rows == len(kept) > 4_000
    assert all(json.loads(line)["reasons"] for line in rejected)
    assert set(kept) <= set(before.decode().splitlines())  # these rows have nothing to mend
    assert files["more"].read_bytes() == before


def _examples(path: Path) -> Iterator[Example]:
    """Yield the examples of a data file."""
    form = recognised(path)
    for row in read_rows(path):
        assert not isinstance(row, Fault)
        yield from examples(row, form)


def test_ten_thousand_real_rows_are_mixed_and_packed(files: dict[str, Path], tmp_path: Path) -> None:
    """Three files become one, a real template and tokenizer read it, and packing keeps every token."""
    sources = [files[name] for name in ("instructions", "more", "chats")]
    mixture = api.mix_data(sources, tmp_path / "mixed.jsonl")
    assert mixture.rows == len(_lines(tmp_path / "mixed.jsonl")) >= 10_000
    tokenizer = load_tokenizer(files["model"])
    losses, fitted = Losses(), []
    with Encoder(tokenizer, choose_template(tokenizer, TEMPLATE)) as encoder:
        for each in truncate(
            _examples(tmp_path / "mixed.jsonl"), encoder, Truncating(sequence_length=SEQUENCE), losses=losses
        ):
            if not each.encoded.fault:
                fitted.append(each.encoded)
    assert len(fitted) == mixture.rows and losses.refused == 0
    sequences = list(packed(fitted, sequence_length=SEQUENCE))
    assert all(len(each.input_ids) <= SEQUENCE for each in sequences)
    assert sum(len(each.input_ids) for each in sequences) == sum(each.length for each in fitted)
    learned = sum(label != UNLEARNED for each in sequences for label in each.labels)
    assert learned == sum(each.learned_tokens for each in fitted) > 300_000
    assert sum(len(each.rows) for each in sequences) == len(fitted)
    by_row = {each.row: each for each in fitted}
    for each in sequences[::97]:
        _holds_its_rows_one_after_the_other(
            each.input_ids, each.boundaries, [by_row[row] for row in each.rows]
        )


def _holds_its_rows_one_after_the_other(
    ids: Sequence[int], boundaries: Sequence[int], rows: Sequence[Encoded]
) -> None:
    assert boundaries[0] == 0 and boundaries[-1] == len(ids)
    for begin, end, row in zip(boundaries[:-1], boundaries[1:], rows, strict=True):
        assert list(ids[begin:end]) == list(row.ids)
