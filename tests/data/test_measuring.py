"""A file and a tokenizer become Lengths: real rows against kept figures, and every bad row by its place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunesmith import api
from tunesmith.data import measuring
from tunesmith.data.lengths import Lengths
from tunesmith.data.measuring import measure
from tunesmith.errors import DataError

Write = Callable[[str, Any], Path]
GOLDEN = Path(__file__).parent / "golden" / "lengths.json"


def chats(*answers: str) -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "user", "content": f"Q{n}"}, {"role": "assistant", "content": answer}]}
        for n, answer in enumerate(answers)
    ]


@pytest.fixture(scope="module")
def instructions(corpus: Path, tokenizer_folder: Path) -> Lengths:
    return measure(corpus / "instructions.jsonl", tokenizer_folder, sequence_length=128, template="alpaca_zh")


@pytest.fixture(scope="module")
def conversations(corpus: Path, tokenizer_folder: Path) -> Lengths:
    return measure(corpus / "chats.jsonl", tokenizer_folder, sequence_length=2048, template="chatml")


@pytest.mark.parametrize("name", ["instructions", "conversations"])
def test_real_rows_measure_as_they_did(request: pytest.FixtureRequest, name: str) -> None:
    """5,348 questions and answers in English and Chinese, and 300 conversations, with a real tokenizer."""
    found = request.getfixturevalue(name).to_mapping(batch_size=8)
    for key in ("path", "tokenizer"):  # where they lie differs from run to run
        del found[key]
    kept = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert _close(json.loads(json.dumps(found)), kept[name])


def test_the_page_shows_what_is_measured(instructions: Lengths) -> None:
    """The example in the docs is an answer, line by line."""
    page = Path(__file__).parents[2] / "docs" / "lengths.md"
    shown = page.read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0]
    assert shown == str(replace(instructions, path="instructions.jsonl")) + "\n"


def _close(found: Any, kept: Any) -> bool:
    """Return whether two trees of JSON agree, floats to the last digits."""
    if isinstance(kept, dict):
        return found.keys() == kept.keys() and all(_close(found[key], kept[key]) for key in kept)
    if isinstance(kept, list):
        return len(found) == len(kept) and all(map(_close, found, kept))
    return bool(found == pytest.approx(kept))


def test_a_sample_tells_of_the_whole(corpus: Path, tokenizer_folder: Path, instructions: Lengths) -> None:
    """The mean lies within its error, and the longest example is found, whatever is drawn."""
    path = corpus / "instructions.jsonl"
    found = [
        measure(path, tokenizer_folder, sequence_length=128, template="alpaca_zh", sample=400, seed=seed)
        for seed in (1, 2)
    ]
    assert list(found[0].tokens) != list(found[1].tokens)
    for sample in found:
        assert sample.examples == sample.rows == 5348 and len(sample.tokens) == 400
        assert abs(sample.mean - instructions.mean) <= 2 * sample.mean_error
        assert sample.longest[0] == instructions.longest[0]
        assert sample.longest_row == instructions.longest_row
        assert sample.remarks[-1].text.startswith("400 of 5,348 examples are measured")
        assert sample.remarks[-1].text_zh.startswith("在 5,348 条样本中测量了 400 条")


def test_a_sample_as_large_as_the_set_is_the_set(write: Write, tokenizer_folder: Path) -> None:
    """Nothing is estimated then."""
    path = write("a.jsonl", chats("a", "b b", "c c c"))
    whole = measure(path, tokenizer_folder, sequence_length=8, template="chatml")
    sample = measure(path, tokenizer_folder, sequence_length=8, template="chatml", sample=9)
    assert list(sample.tokens) == list(whole.tokens) and not sample.sampled
    assert sample.longest == whole.longest and sample.remarks == whole.remarks


def test_the_same_seed_draws_the_same_rows(write: Write, tokenizer_folder: Path) -> None:
    """So that an answer can be given again."""
    path = write("a.jsonl", [{"text": "word " * n} for n in range(1, 90)])
    first, second = (measure(path, tokenizer_folder, sequence_length=8, sample=20, seed=5) for _ in range(2))
    assert list(first.tokens) == list(second.tokens)


def test_progress_is_told(write: Write, tokenizer_folder: Path) -> None:
    """Rows and the share of the file, up to all of it."""
    told: list[tuple[int, float]] = []
    path = write("a.jsonl", [{"text": "x"}] * 2500)
    measure(
        path, tokenizer_folder, sequence_length=8, progress=lambda rows, share: told.append((rows, share))
    )
    assert [rows for rows, _ in told] == [1000, 2000, 2500]
    assert told[-1][1] == 1.0 and sorted(told) == told


def test_the_first_bad_rows_are_named_and_the_others_counted(write: Write, tokenizer_folder: Path) -> None:
    """File, line and reason of each; of a file with many, not all."""
    rows = [json.dumps(row) for row in chats(*"abc")] + ['{"messages": 5}', "nonsense"] * 4
    path = write("a.jsonl", "\n".join(rows))
    with pytest.raises(DataError) as caught:
        measure(path, tokenizer_folder, sequence_length=8, template="chatml")
    message = str(caught.value).splitlines()
    assert message[0].endswith("a.jsonl, line 4, has messages = 5, expected a list of messages.")
    assert message[1].endswith("a.jsonl, line 5, is not JSON: Expecting value at column 1.")
    assert len(message) == measuring.NAMED_FAULTS + 1
    assert message[-1] == "and 3 more of 11 rows. Mend the rows or take them out."


def test_a_row_that_its_template_refuses_is_named(write: Write, tokenizer_folder: Path) -> None:
    """It is a bad row like any other."""
    rows = [
        *chats("a"),
        {"messages": [{"role": "tool", "content": "3"}, {"role": "assistant", "content": "b"}]},
    ]
    with pytest.raises(
        DataError, match=r"line 2, cannot be rendered: its template says .* only system, user"
    ):
        measure(write("a.jsonl", rows), tokenizer_folder, sequence_length=8, template="alpaca")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([{"messages": [{"role": "user", "content": "x"}]}], "has no token to learn in 1 rows"),
        ([], "has no row to learn from"),
        (["x"], "line 1, is a text, expected an object"),
        ([{"a": 1}], "has the columns 'a', expected messages"),
    ],
)
def test_a_set_that_teaches_nothing_is_refused(
    write: Write, tokenizer_folder: Path, content: Any, reason: str
) -> None:
    """Without a learned token there is nothing to plan."""
    with pytest.raises(DataError) as caught:
        measure(write("a.jsonl", content), tokenizer_folder, sequence_length=8, template="chatml")
    assert reason in str(caught.value)


@pytest.mark.parametrize("numbers", [{"sequence_length": 0}, {"sequence_length": 8, "sample": 0}])
def test_numbers_below_one_are_refused(write: Write, tokenizer_folder: Path, numbers: dict[str, int]) -> None:
    """Before anything is read."""
    with pytest.raises(DataError, match="expected numbers of 1 or more"):
        measure(write("a.jsonl", chats("a")), tokenizer_folder, **numbers)


def test_a_preference_counts_twice(write: Write, tokenizer_folder: Path) -> None:
    """Chosen and rejected are sequences of their own."""
    path = write("a.jsonl", [{"prompt": "2+2=", "chosen": "4", "rejected": "5, I am very sure of it"}])
    found = measure(path, tokenizer_folder, sequence_length=8)
    assert (found.rows, found.examples, len(found.tokens)) == (1, 2, 2)
    assert found.tokens[1] > found.tokens[0] and found.template is None


def test_nothing_heavy_is_loaded(write: Write, tokenizer_folder: Path) -> None:
    """Lengths come without PyTorch, transformers and NumPy."""
    code = (
        "import sys; from tunesmith import api\n"
        f"print(api.lengths({str(write('a.jsonl', chats('a', 'b')))!r}, {str(tokenizer_folder)!r}).rows)\n"
        "heavy = {'torch', 'transformers', 'numpy', 'tokenizers', 'jinja2', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "2\n"


def test_the_api_measures(write: Write, tokenizer_folder: Path) -> None:
    """A base model's chats are counted in the format of Alpaca, which is said in both languages."""
    found = api.lengths(write("a.jsonl", chats("a", "b")), tokenizer_folder, sequence_length=64)
    assert found.template is not None and found.template.name == "alpaca"
    assert "no chat template" in found.remarks[0].text and "没有对话模板" in found.remarks[0].text_zh
