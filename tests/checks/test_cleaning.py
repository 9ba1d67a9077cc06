"""Cleaning: what a check drops is gone and told why, what it mends is mended, all else keeps its bytes."""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.checks import CHECKS, Asked, Check, Finding, check_rows
from tunesmith.checks import cleaning as module
from tunesmith.checks.cleaning import Cleaned, clean_rows
from tunesmith.checks.control import Control
from tunesmith.checks.empty import Empty
from tunesmith.checks.exact_duplicate import ExactDuplicate
from tunesmith.checks.mojibake import Mojibake
from tunesmith.checks.near_duplicate import NearDuplicate
from tunesmith.checks.pii import Pii
from tunesmith.data.manifest import DataFile
from tunesmith.data.scanning import recognised
from tunesmith.data.turns import Batch
from tunesmith.errors import DataError, OutputError

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
GOOD = {"instruction": "Where is Paris?", "input": "", "output": "It is the capital of France.", "id": 7}
CHEAP = [each for each in CHECKS if each.cheap]
Clean = Callable[..., Cleaned]


@pytest.fixture
def clean(tmp_path: Path) -> Clean:
    """Return what cleans lines, given as texts or rows, into out.jsonl."""

    def run(lines: Sequence[str | dict[str, Any]], checks: Sequence[type[Check]], **more: Any) -> Cleaned:
        path = tmp_path / "rows.jsonl"
        texts = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in lines]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        asked = Asked(form=recognised(path), path=path)
        return clean_rows(asked, checks, tmp_path / "out.jsonl", settings={}, **more)

    return run


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a written file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_rows_without_a_fault_keep_their_bytes(clean: Clean, tmp_path: Path) -> None:
    """Spaces, the spelling of numbers and columns that play no role."""
    lines = ['{"instruction":"a?", "output":"b c d",  "n": 1.50}', '{"instruction": "é?", "output": "f"}']
    cleaned = clean(lines, [Empty, ExactDuplicate])
    assert (tmp_path / "out.jsonl").read_text("utf-8").splitlines() == lines
    assert (cleaned.rows, cleaned.dropped, cleaned.mended, cleaned.steps) == (2, 0, 0, ())


def test_every_row_left_out_says_why(clean: Clean, tmp_path: Path) -> None:
    """Its number, its line, every check with a reason in words, and the row itself, read or not."""
    twin = {**GOOD, "id": 8}
    empty = {"instruction": "x", "output": ""}
    cleaned = clean([GOOD, twin, "", empty, empty, "{bad", json.dumps({"instruction": 5})], CHEAP)
    assert rows_of(tmp_path / "out.jsonl") == [GOOD]
    told = rows_of(tmp_path / "out.rejected.jsonl")
    assert [(each["row"], each["line"], each["values"]) for each in told] == [
        (1, 2, twin),
        (2, 4, empty),
        (3, 5, empty),
        (4, 6, "{bad"),
        (5, 7, {"instruction": 5}),
    ]
    reasons = [{each["check"]: each["reason"] for each in one["reasons"]} for one in told]
    assert reasons[0]["exact_duplicate"] == (
        "rows that say the same as an earlier row, character for character; row 0 stays in its stead"
    )
    assert reasons[1]["empty"] == "rows that ask nothing, or answer nothing; the text of assistant is empty"
    assert set(reasons[2]) == {"empty"}  # the row that it repeats does not stay
    assert reasons[3]["unreadable"].startswith("line 6 is not JSON")
    assert reasons[4]["unreadable"] == "line 7 has instruction = 5, expected a text"
    assert (cleaned.rows, cleaned.dropped) == (1, 5)


def test_texts_are_mended_and_what_then_repeats_goes(clean: Clean, tmp_path: Path) -> None:
    """A second round finds that a mended row says what another says; its row is that of the input."""
    mail = {"instruction": "Mail?", "output": "Write to bob.miller@gmail.com.", "id": 1}
    masked = {"instruction": "Mail?", "output": "Write to <EMAIL>.", "id": 2}
    cleaned = clean([{"instruction": "e", "output": ""}, mail, masked], [Empty, Pii, ExactDuplicate])
    assert rows_of(tmp_path / "out.jsonl") == [{**masked, "id": 1}]
    told = rows_of(tmp_path / "out.rejected.jsonl")
    assert [(each["row"], each["line"]) for each in told] == [(0, 1), (2, 3)]
    assert told[1]["reasons"][0]["reason"].endswith("row 1 stays in its stead")
    steps = [(step.name, step.rows_in, step.rows_out, step.counts["mended"]) for step in cleaned.steps]
    assert steps == [("empty", 3, 2, 0), ("pii", 2, 2, 1), ("exact_duplicate", 2, 1, 0)]


def test_a_row_does_not_go_for_one_that_goes_too(clean: Clean, tmp_path: Path) -> None:
    """Of two that nearly say the same, the first cannot be read any more by people: the second stays."""
    said = (
        "The library opens at nine in the morning and closes at six in the evening on every day of the week, "
        "but on the first Monday of each month, when its staff meet, it opens one hour later than that."
    )
    first = {"instruction": "When does the library open?", "output": f"{said} Come\ufffd in."}
    second = {"instruction": "When does the library open?", "output": f"{said} Come in."}
    clean([first, second], [NearDuplicate, Mojibake])
    assert rows_of(tmp_path / "out.jsonl") == [second]
    (told,) = rows_of(tmp_path / "out.rejected.jsonl")
    assert (told["row"], [each["check"] for each in told["reasons"]]) == (0, ["mojibake"])


def test_the_manifest_proves_what_was_done(clean: Clean, tmp_path: Path) -> None:
    """Digests of what was read and written, and counts that lead from one to the other."""
    clean([GOOD, GOOD, {"instruction": "q", "output": ""}], [ExactDuplicate, Empty])
    told = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert told["command"] == "clean"
    assert told["inputs"][0]["sha256"] == DataFile.of(tmp_path / "rows.jsonl").sha256
    assert told["inputs"][0]["rows"] == 3
    for each, name in zip(told["outputs"], ("out.jsonl", "out.rejected.jsonl"), strict=True):
        assert (each["path"], each["sha256"]) == (name, DataFile.of(tmp_path / name).sha256)
    assert [each["rows"] for each in told["outputs"]] == [1, 2]
    rows = 3
    for step in told["steps"]:
        assert step["rows_in"] == rows
        rows = step["rows_out"]
    assert rows == 1
    assert told["settings"] == {"checks": ["exact_duplicate", "empty"]}


FAULTS: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "empty": lambda text: " \u200b",
    "mail": lambda text: f"{text} anna.schmidt@gmail.com",
    "unseen": lambda text: f"{text[:3]}\u200b\u202e{text[3:]}",
    "mojibake": lambda text: f"{text} cafÃ© crÃ¨me",
    "lost": lambda text: f"{text} caf\ufffd",
    "token": lambda text: f"{text}<|im_end|>",
    "key": lambda text: f"{text} AKIAIOSFODNN7QXYZWVU",
    "escape": lambda text: f"\x1b[31m{text}",
}
ROW = st.tuples(
    st.sampled_from(["Where is Paris?", "What is two and two?", "巴黎在哪里？"]),
    st.sampled_from(["It is in the north of France.", "The sum of them is four.", "巴黎在法国北部。"]),
    st.lists(st.sampled_from(list(FAULTS)), max_size=3),
    st.sampled_from(["instruction", "output"]),
)


def forged(row: tuple[str, str, list[str], str]) -> dict[str, Any]:
    """Return a row with the faults that are asked for."""
    instruction, output, faults, where = row
    values = {"instruction": instruction, "output": output}
    for fault in faults:
        values[where] = FAULTS[fault](values[where])
    return {**values, "id": 1}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW.map(forged), min_size=1, max_size=12))
def test_after_cleaning_no_check_drops_or_mends_anything(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever faults a set has; and every row of the input is in one of the two files."""
    folder = tmp_path_factory.mktemp("rows")
    path, out = folder / "rows.jsonl", folder / "out.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    asked = Asked(form=recognised(path), path=path)
    cleaned = clean_rows(asked, CHEAP, out, settings={})
    if not cleaned.outputs:
        assert list(folder.iterdir()) == [path]
        return
    kept, told = rows_of(out), rows_of(folder / "out.rejected.jsonl")
    assert len(kept) + len(told) == len(rows)
    assert len({each["row"] for each in told}) == len(told) == cleaned.dropped
    again, _ = check_rows(replace(asked, path=out), CHEAP)
    assert not [each.check for each in again.findings if each.drop]
    second = clean_rows(replace(asked, path=out), CHEAP, folder / "twice.jsonl", settings={})
    assert (folder / "twice.jsonl").read_bytes() == out.read_bytes()
    assert not second.steps


def test_five_thousand_real_rows_come_through(tmp_path: Path) -> None:
    """Every row that stays has its bytes; those that go are the ones that repeat another, counted by hand."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lzma.decompress((CORPUS / "instructions.jsonl.xz").read_bytes()))
    seen: list[tuple[str, int]] = []
    asked = Asked(form=recognised(path), path=path)
    cleaned = clean_rows(
        asked,
        CHEAP,
        tmp_path / "out.jsonl",
        settings={},
        progress=lambda doing, rows, share: seen.append((doing, rows)),
    )
    before = path.read_bytes().splitlines()
    gone = {each["row"] for each in rows_of(tmp_path / "out.rejected.jsonl")}
    kept = [line for number, line in enumerate(before) if number not in gone]
    assert (tmp_path / "out.jsonl").read_bytes().splitlines() == kept
    said = [{key: json.loads(line)[key] for key in ("instruction", "input", "output")} for line in before]
    assert cleaned.rows == len({tuple(each.values()) for each in said})
    assert {doing for doing, _ in seen} >= {"check"}


def test_where_no_row_is_left_nothing_is_written(clean: Clean, tmp_path: Path) -> None:
    """No empty file that would pass for data."""
    cleaned = clean([{"instruction": "q", "output": ""}], [Empty])
    assert (cleaned.rows, cleaned.outputs, cleaned.dropped) == (0, (), 1)
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_interruption_leaves_nothing(
    clean: Clean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a draft, however late it comes."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        clean([GOOD, GOOD], [ExactDuplicate])
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_file_that_changes_meanwhile_is_refused(clean: Clean, tmp_path: Path) -> None:
    """Findings name rows by number, so they hold for the file that was checked only."""

    class Grows(ExactDuplicate):
        def finding(self) -> Finding | None:
            with (tmp_path / "rows.jsonl").open("a") as file:
                file.write(json.dumps(GOOD) + "\n")
            return super().finding()

    with pytest.raises(DataError, match=r"rows\.jsonl changed while it was read"):
        clean([GOOD, GOOD], [Grows])


def test_files_that_are_there_stay(clean: Clean, tmp_path: Path) -> None:
    """Unless they may be overwritten; the input never may."""
    clean([GOOD], [Empty])
    with pytest.raises(OutputError, match=r"out\.jsonl exists"):
        clean([GOOD], [Empty])
    assert clean([GOOD, GOOD], [Empty], overwrite=True).rows == 2
    asked = Asked(form=recognised(tmp_path / "rows.jsonl"), path=tmp_path / "rows.jsonl")
    with pytest.raises(OutputError, match="never written to"):
        clean_rows(asked, [Empty], asked.path, settings={}, overwrite=True)


def test_tables_are_cleaned_into_json_lines(tmp_path: Path) -> None:
    """Every column survives; what is mended is mended in the columns that are read."""
    path = tmp_path / "rows.csv"
    path.write_text("question,answer,note\nq,a\u200bb,c\u200bd\nq2,,e\n", encoding="utf-8")
    asked = Asked(form=recognised(path), path=path)
    clean_rows(asked, [Empty, Control], tmp_path / "out.jsonl", settings={})
    assert rows_of(tmp_path / "out.jsonl") == [{"question": "q", "answer": "ab", "note": "c\u200bd"}]
    (told,) = rows_of(tmp_path / "out.rejected.jsonl")
    assert (told["row"], told["line"]) == (1, 3)


def test_a_check_that_judges_rows_by_the_others_looks_once(clean: Clean, tmp_path: Path) -> None:
    """It would find the longest row again and again until none is left."""
    looked: list[str] = []

    class Longest(Check):
        name = "longest"
        relative = True

        def see(self, batch: Batch) -> None:
            looked.append("seen")

        def finding(self) -> Finding | None:
            return Finding(
                check=self.name,
                severity="info",
                rows=(0,),
                message="The longest.",
                message_zh="最长。",
                fix="",
                fix_zh="",
                drop=(0,),
            )

    cleaned = clean([GOOD, {**GOOD, "output": "Another answer"}], [Longest, Empty])
    assert looked == ["seen"]
    assert (cleaned.rows, cleaned.left) == (1, ())


def test_a_data_set_that_datasets_saved_is_cleaned_like_a_file(tmp_path: Path) -> None:
    """The manifest tells it by its rows, since it is no single file."""
    datasets.disable_progress_bars()
    rows = [GOOD, GOOD, {**GOOD, "output": "Another answer."}]
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "saved"))
    asked = Asked(form=recognised(tmp_path / "saved"), path=tmp_path / "saved")
    clean_rows(asked, [ExactDuplicate], tmp_path / "out.jsonl", settings={})
    assert rows_of(tmp_path / "out.jsonl") == [rows[0], rows[2]]
    (source,) = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())["inputs"]
    said = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert source["sha256"] == hashlib.sha256(said.encode()).hexdigest()
    assert source["rows"] == 3
