"""Held-out rows: found again whole, within a talk, within a long text, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tunesmith.data.heldout import Heldout
from tunesmith.data.scanning import recognised, scan
from tunesmith.errors import DataError

LONG = (
    "A train leaves the station at nine and travels north at sixty kilometres an hour, while another leaves "
    "the same station an hour later and follows it at ninety; when does the second train reach the first?"
)
ANSWER = (
    "The first train is sixty kilometres ahead when the second one leaves, and the second gains thirty "
    "kilometres in every hour, so that it needs two hours and reaches the first at noon."
)


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    """Return *path* with *rows* in it."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def turns(path: Path) -> pl.DataFrame:
    """Return all turns of a small file."""
    return pl.concat([batch.turns for batch in scan(path, recognised(path))])


@pytest.fixture
def heldout(tmp_path: Path) -> Heldout:
    """Return the fingerprints of three rows."""
    rows = [
        {"prompt": "What is the capital of France?", "completion": "Paris"},
        {"prompt": LONG, "completion": ANSWER},
        {"prompt": "hi", "completion": "Hello!"},
    ]
    return Heldout.of([written(tmp_path / "eval.jsonl", rows)])


def found(heldout: Heldout, tmp_path: Path, row: dict[str, object]) -> list[tuple[int, str]]:
    """Return which held-out rows *row* holds, and how."""
    path = written(tmp_path / "train.jsonl", [{"prompt": "other", "completion": "words"}, row])
    answer = heldout.found_in(turns(path))
    assert answer.filter(pl.col("row") != 1).is_empty()
    return answer.select("held", "how").rows()


def test_the_same_question_is_found_whatever_its_answer(heldout: Heldout, tmp_path: Path) -> None:
    """Case and punctuation make no difference."""
    row: dict[str, object] = {"prompt": "what is the capital of france", "completion": "It is Paris."}
    assert found(heldout, tmp_path, row) == [(0, "asked")]


def test_a_question_is_found_as_a_turn_of_a_talk(heldout: Heldout, tmp_path: Path) -> None:
    """A short greeting is not: it would condemn every talk."""
    talk = "hi\nWhat is the capital of France?"
    path = tmp_path / "talk.jsonl"
    messages = [{"role": "user", "content": each} for each in talk.splitlines()]
    answers = [{"role": "assistant", "content": "I see."}] * 2
    chat = [each for pair in zip(messages, answers, strict=True) for each in pair]
    short = [*chat[:2], {"role": "user", "content": "bye"}, chat[1]]
    written(path, [{"messages": chat}, {"messages": short}])
    assert heldout.found_in(turns(path)).select("row", "held", "how").rows() == [(0, 0, "turn")]


def test_a_question_is_found_within_a_long_text(heldout: Heldout, tmp_path: Path) -> None:
    """Most of its runs of words stand there, with some words changed."""
    text = "From an old book of riddles. " * 9 + LONG.replace("sixty", "fifty") + " The answer is below." * 9
    path = tmp_path / "book.jsonl"
    written(path, [{"text": text}, {"text": "From an old book of riddles. " * 9}])
    answer = heldout.found_in(turns(path))
    assert answer.select("row", "held", "how").rows() == [(0, 1, "runs")]
    assert 0.7 <= answer["share"][0] < 1


def test_a_long_answer_is_found_under_another_question(heldout: Heldout, tmp_path: Path) -> None:
    """A short one is not, since many answers are "Paris"."""
    assert found(heldout, tmp_path, {"prompt": "Solve it.", "completion": ANSWER}) == [(1, "runs")]
    assert found(heldout, tmp_path, {"prompt": "Where is the Louvre?", "completion": "Paris"}) == []


def test_the_frame_of_a_template_condemns_nothing(tmp_path: Path) -> None:
    """Words that stand in many held-out questions are not what makes them."""
    frame = "Read the following review of a film and say in one word whether its writer liked the film: "
    rows: list[dict[str, object]] = [{"prompt": f"{frame}{n} stars", "completion": "yes"} for n in range(40)]
    heldout = Heldout.of([written(tmp_path / "eval.jsonl", rows)])
    assert found(heldout, tmp_path, {"prompt": f"{frame}a waste of time", "completion": "no"}) == []
    assert found(heldout, tmp_path, {"prompt": f"{frame}7 stars", "completion": "no"}) == [(7, "asked")]


def test_saved_fingerprints_find_the_same(heldout: Heldout, tmp_path: Path) -> None:
    """They hold hashes and no word of the rows, and may stand among evaluation sets."""
    place = heldout.save(tmp_path / "heldout.json")
    assert "capital" not in place.read_text()
    other = written(
        tmp_path / "more.jsonl", [{"prompt": "How far is the moon from here?", "completion": "Far."}]
    )
    again = Heldout.of([other, place])
    assert (again.rows, len(again.sources)) == (4, 2)
    row: dict[str, object] = {"prompt": "What is the capital of France?", "completion": ""}
    assert found(again, tmp_path, row) == [(1, "asked")]
    assert Heldout.load(place).runs.equals(heldout.runs)


@pytest.mark.parametrize(
    "text", ["{}", "[]", "nonsense", '{"kind": "tunesmith held-out rows"}', "[" * 100_000]
)
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    """The message says which file is expected."""
    path = tmp_path / "heldout.json"
    path.write_text(text)
    with pytest.raises(DataError, match="is not a file of held-out rows"):
        Heldout.load(path)
