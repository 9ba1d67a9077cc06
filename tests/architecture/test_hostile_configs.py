"""The corpus of hostile configs: each is refused, or cleaned with a warning, and nothing else happens.

``tests/corpus/config`` holds one file for each known way to hurt a program by its config.json: published
holes of transformers, vLLM, PEFT, NeMo, mlx-lm, Unsloth and sentence-transformers, and inputs that made
AutoConfig run for minutes or take gigabytes. A file's name says what must become of it;
``config.expected.json`` says what the message must name, or exactly which keys are dropped.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunesmith.architecture import load_architecture, parse_architecture
from tunesmith.errors import ArchitectureError

CORPUS = Path(__file__).parent.parent / "corpus" / "config"
FILES = sorted(CORPUS.glob("*.json"))
EXPECTED = json.loads(CORPUS.with_suffix(".expected.json").read_text())
ACTS = (
    "open",
    "import",
    "exec",
    "compile",
    "subprocess",
    "os.",
    "socket",
    "shutil",
    "ctypes",
    "marshal",
    "pickle",
)

_watched: list[str] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is not None and event.startswith(ACTS):
        _watched.append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_watch)


@pytest.fixture
def acts() -> Iterator[list[str]]:
    """Whatever the process opened, imported, compiled, started or connected to during the test."""
    global _watched
    _watched = []
    yield _watched
    _watched = None


def keys(value: Any) -> Iterator[str]:
    yield from value if isinstance(value, dict) else ()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(inner)


def test_the_watch_sees_what_it_watches_for(acts: list[str]) -> None:
    acts.clear()
    compile("1", "", "eval")
    Path(__file__).open().close()
    assert [act.split()[0] for act in acts] == ["compile", "open"]


def test_the_corpus_and_its_expectations_are_complete() -> None:
    assert {file.name for file in FILES} == set(EXPECTED)
    assert len(FILES) >= 150
    assert {file.name.split("-")[0] for file in FILES} == {"refused", "cleaned"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_hostile_config_is_refused_or_cleaned_and_nothing_is_run(file: Path, acts: list[str]) -> None:
    data = file.read_bytes()
    acts.clear()
    verdict, said = "cleaned", ""
    try:
        architecture = parse_architecture(data, source=file.name)
    except ArchitectureError as error:
        verdict, said = "refused", str(error)
    assert acts == []
    assert file.name.startswith(verdict), said
    if verdict == "refused":
        assert said.startswith(file.name)
        assert len(said) < 4_000
        assert all(line.isprintable() for line in said.splitlines())
        assert all(phrase in said for phrase in EXPECTED[file.name]), said
    else:
        dropped = [warning.partition(" was dropped")[0].strip("' ") for warning in architecture.warnings]
        assert dropped == EXPECTED[file.name]
        assert not any(key.startswith("_") for key in keys(architecture.to_dict()))
        json.dumps(architecture.to_dict(), allow_nan=False)


def test_a_hostile_config_in_a_folder_meets_the_same_parser(tmp_path: Path) -> None:
    for file in FILES[:: len(FILES) // 12]:
        (tmp_path / "config.json").write_bytes(file.read_bytes())
        try:
            load_architecture(tmp_path)
        except ArchitectureError as error:
            assert file.name.startswith("refused")
            assert str(tmp_path / "config.json") in str(error)
        else:
            assert file.name.startswith("cleaned")
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]
