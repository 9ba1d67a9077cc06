"""The cache on disk: whole or not at all, bounded, and never trusted."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tunesmith.memory import cache

NAME = cache.key(question="a test")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def file_of(folder: Path) -> Path:
    (found,) = folder.rglob("*.json.gz")
    return found


def test_what_is_written_is_read_again_and_nothing_else_is_left_behind(own_folder: Path) -> None:
    assert cache.read(NAME) is None
    assert cache.write(NAME, {"a": [1, 2, {"b": None}]})
    assert cache.read(NAME) == {"a": [1, 2, {"b": None}]}
    assert [path.name for path in own_folder.rglob("*") if path.is_file()] == [f"{NAME}.json.gz"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b"not json"),
        gzip.compress(b"[1]"),
        gzip.compress(json.dumps({"name": "another", "kept": {}}).encode()),
        gzip.compress(json.dumps({"name": NAME, "kept": [1]}).encode()),
        gzip.compress(json.dumps({"name": NAME, "kept": {}}).encode())[:-9],
        gzip.compress(b"[" * 100_000),
        b"\x00" * (cache.MAX_FILE_BYTES + 1),
        gzip.compress(b'"\xff\xfe"'),
    ],
    ids=["empty", "garbage", "text", "list", "other", "kind", "cut", "deep", "large", "encoding"],
)
def test_a_damaged_file_is_as_good_as_none_and_is_written_anew(own_folder: Path, content: bytes) -> None:
    cache.write(NAME, {"good": True})
    file_of(own_folder).write_bytes(content)
    assert cache.read(NAME) is None
    assert cache.write(NAME, {"good": True})
    assert cache.read(NAME) == {"good": True}


def test_a_file_that_unpacks_without_end_is_not_unpacked(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write(NAME, {"zeros": "0" * 100_000})
    monkeypatch.setattr(cache, "MAX_TEXT_BYTES", 50_000)
    assert cache.read(NAME) is None
    assert not cache.write(NAME, {"zeros": "0" * 100_000})


def test_writers_at_the_same_time_leave_one_whole_answer() -> None:
    answers = [{"writer": number, "filling": "x" * 20_000} for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda answer: cache.write(NAME, answer), answers))
    assert cache.read(NAME) in answers


def test_processes_share_a_folder(own_folder: Path) -> None:
    code = (
        "import sys; from tunesmith.memory import cache\n"
        "for n in range(20): assert cache.write('shared' * 8, {'n': n, 'filling': 'x' * 50_000})\n"
        "assert cache.read('shared' * 8) is not None"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    kept = cache.read("shared" * 8)
    assert kept is not None
    assert kept["n"] == 19


@pytest.mark.parametrize("value", ["", "off", "0"])
def test_the_cache_can_be_turned_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", value)
    assert cache.folder() is None
    assert not cache.write(NAME, {})
    assert cache.read(NAME) is None


def test_a_disk_that_refuses_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "file"))
    assert not cache.write(NAME, {})
    assert cache.read(NAME) is None


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "tunesmith"),
        ("win32", "LOCALAPPDATA", "tunesmith/cache"),
    ],
)
def test_each_platform_has_its_own_place(
    platform: str, variable: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNESMITH_CACHE")
    monkeypatch.setattr(cache.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert cache.folder() == tmp_path / expected


def test_another_version_of_a_library_is_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.key(question=1)
    monkeypatch.setattr(cache, "versions", lambda: {"torch": "0.0"})
    assert cache.key(question=1) != before
