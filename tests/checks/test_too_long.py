"""too_long: rows that are cut, by an estimate or by the tokens of a real tokenizer and its template."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from tunesmith.checks.finding import Finding
from tunesmith.checks.too_long import TooLong
from tunesmith.data.measuring import measure
from tunesmith.data.tokenizer import TokenizerFiles, load_tokenizer

Found = Callable[..., Finding | None]
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFiles:
    """Return the files of a real tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizer")
    packed = (DATA / "tokenizer" / "tokenizer.json.xz").read_bytes()
    (folder / "tokenizer.json").write_bytes(lzma.decompress(packed))
    config = (DATA / "tokenizer" / "tokenizer_config.json").read_bytes()
    (folder / "tokenizer_config.json").write_bytes(config)
    return load_tokenizer(folder)


def test_without_a_tokenizer_only_what_is_surely_cut_is_flagged(found: Found) -> None:
    """The estimate errs, so rows near the limit pass."""
    rows = [
        {"prompt": "q", "completion": "word " * 800},
        {"prompt": "q", "completion": "word " * 8_000},
        {"prompt": "q", "completion": "很长的回答" * 1_000},
    ]
    finding = found(TooLong, rows, sequence_length=2048)
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("warning", (1, 2), ())
    assert finding.evidence[0].note == "about 10000 tokens" and "estimate" in finding.message


def test_with_a_tokenizer_rows_are_flagged_that_measuring_cuts(
    tmp_path: Path, found: Found, tokenizer: TokenizerFiles
) -> None:
    """On real chats: as many rows as the histogram of lengths says."""
    lines = lzma.decompress((DATA / "corpus" / "chats.jsonl.xz").read_bytes()).decode().splitlines()[:60]
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    lengths = measure(path, tokenizer, sequence_length=512)
    cut = tuple(row for row, count in enumerate(lengths.tokens) if count > 512)
    finding = found(TooLong, [json.loads(line) for line in lines], tokenizer=tokenizer, sequence_length=512)
    assert finding is not None and cut
    assert finding.rows == cut


def test_a_row_cut_before_its_answer_is_an_error_and_left_out(
    found: Found, tokenizer: TokenizerFiles
) -> None:
    """Its question alone fills the sequence; of the other a part of the answer is left."""
    rows = [
        {"prompt": "word " * 300, "completion": "yes"},
        {"prompt": "q", "completion": "word " * 300},
        {"prompt": "q", "completion": "short"},
    ]
    finding = found(TooLong, rows, tokenizer=tokenizer, sequence_length=128)
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("error", (0, 1), (0,))
    assert "of" in finding.evidence[1].note and "to learn are cut" in finding.evidence[1].note
    assert "被截断" in finding.evidence[1].note_zh


def test_rows_that_fit_are_no_finding(found: Found, tokenizer: TokenizerFiles) -> None:
    """With and without a tokenizer."""
    rows = [{"text": "word " * 40}, {"text": "短文"}]
    assert found(TooLong, rows, tokenizer=tokenizer, sequence_length=128) is None
    assert found(TooLong, rows, sequence_length=128) is None
