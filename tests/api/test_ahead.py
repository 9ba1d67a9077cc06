"""A second process takes work from the end of the list: nothing is made twice, nobody waits for the dead."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tunesmith.api.ahead import Ahead, serve
from tunesmith.errors import UnsupportedError
from tunesmith.memory import cache
from tunesmith.recipe import Recipe

LISTENING = """
import json, pathlib, sys, time
held, done = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for line in sys.stdin:
    with done.open("a") as file:
        file.write(str(json.loads(line)["recipe"]["sequence_length"]) + chr(10))
    while held.exists():
        time.sleep(0.01)
    print(flush=True)
"""
DYING = "import sys; sys.stdin.readline()"


def recipes(count: int) -> list[Recipe]:
    """Return recipes that differ in length: 1, 2 and so on."""
    base = Recipe.from_mapping({"model": "meta-llama/Llama-2-7b-hf", "sequence_length": 1})
    return [base.replace(sequence_length=length + 1) for length in range(count)]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Ahead]]:
    """Return what makes an Ahead whose second process is a short program, on a machine of two processors."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    made: list[Ahead] = []

    def start(program: str) -> Ahead:
        made.append(Ahead(("-c", program, str(tmp_path / "held"), str(tmp_path / "done"))))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_the_last_comes_first_and_what_is_at_work_is_waited_for(
    started: Callable[[str], Ahead], tmp_path: Path
) -> None:
    """The caller finds each job either undone, and off the list, or done."""
    helper = started(LISTENING)
    wanted = recipes(3)
    helper.answers(wanted)
    for each in reversed(wanted):
        helper.take("answer", each)
    lines = (tmp_path / "done").read_text().split() if (tmp_path / "done").exists() else []
    assert lines in ([], ["3"], ["3", "2"], ["3", "2", "1"])


def test_what_the_caller_takes_the_second_process_leaves_alone(
    started: Callable[[str], Ahead], tmp_path: Path
) -> None:
    """While the second process is at the last job, the caller takes the others, which are then never made."""
    (tmp_path / "held").touch()
    helper = started(LISTENING)
    *others, last = recipes(3)
    helper.answers([*others, last])
    while not (tmp_path / "done").exists() or not (tmp_path / "done").read_text():
        pass
    for each in others:
        helper.take("answer", each)
    (tmp_path / "held").unlink()
    helper.take("answer", last)
    assert (tmp_path / "done").read_text().split() == ["3"]


def test_a_second_process_that_dies_is_not_waited_for(started: Callable[[str], Ahead]) -> None:
    """The caller does the work itself, then and later."""
    helper = started(DYING)
    wanted = recipes(2)
    helper.answers(wanted)
    for each in reversed(wanted):
        helper.take("answer", each)
    helper.answers(wanted)
    helper.take("answer", wanted[0])
    helper.close()
    helper.take("answer", wanted[1])
    assert helper._process is not None
    assert helper._process.returncode is not None


def test_without_a_cache_or_a_second_processor_there_is_no_second_process(
    started: Callable[[str], Ahead], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it made could not be read, or would only take turns with the first."""
    alone = started(LISTENING)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    alone.answers(recipes(3))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(cache, "folder", lambda: None)
    alone.answers(recipes(3))
    assert alone._process is None


def test_every_job_is_answered_even_one_that_cannot_be_done() -> None:
    """Whoever waits for a job goes on when it has failed; its error is the first process's to tell."""
    seen: list[Any] = []

    def make(job: Any) -> None:
        seen.append(job["recipe"])
        if job["recipe"] == 1:
            raise UnsupportedError("no")

    done = io.StringIO()
    rows: Sequence[dict[str, Any]] = [{"kind": "answer", "recipe": number} for number in range(3)]
    serve(io.StringIO("".join(json.dumps(row) + "\n" for row in rows)), done, make)
    assert seen == [0, 1, 2]
    assert done.getvalue() == "\n" * 3
