"""A tokenizer's files are read within bounds, and nothing in them is run."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tunesmith.data import tokenizer
from tunesmith.data.templates import BUILT_IN
from tunesmith.data.tokenizer import choose_template, load_tokenizer
from tunesmith.errors import DataError, MissingExtraError


@pytest.fixture
def folder(tokenizer_folder: Path, tmp_path: Path) -> Path:
    """Return a folder of our own with a real tokenizer."""
    place = tmp_path / "model"
    shutil.copytree(tokenizer_folder, place)
    return place


def change(folder: Path, **values: Any) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def test_special_tokens_are_texts(folder: Path) -> None:
    """Written as objects or as texts, in either file."""
    change(folder, bos_token="<s>")
    (folder / "special_tokens_map.json").write_text('{"mask_token": "[M]", "bos_token": "old"}')
    tokens = load_tokenizer(folder).tokens
    assert tokens["bos_token"] == "<s>"
    assert tokens["eos_token"] == "<｜end▁of▁sentence｜>"
    assert tokens["mask_token"] == "[M]"
    assert "unk_token" not in tokens
    assert load_tokenizer(folder / "tokenizer.json").tokens == tokens


def test_a_template_has_a_place_and_a_digest(folder: Path) -> None:
    """The file of its own comes before the configuration, and says where it is from."""
    assert load_tokenizer(folder).template is None
    change(folder, chat_template="{{ messages }}")
    first = load_tokenizer(str(folder)).template
    assert first is not None and first.name.endswith("tokenizer_config.json")
    (folder / "chat_template.jinja").write_text("{{ 1 }}")
    second = load_tokenizer(folder).template
    assert second is not None and second.source == "{{ 1 }}" and second.sha256 != first.sha256


def test_of_several_templates_the_default_is_taken(folder: Path) -> None:
    """Those for tools and retrieval are not meant for plain chats."""
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    change(folder, chat_template=named)
    template = load_tokenizer(folder).template
    assert template is not None and template.source == "d"


def test_the_choice_of_a_template_has_its_reason(folder: Path, tmp_path: Path) -> None:
    """Asked for, the tokenizer's own, or Alpaca for a base model; in both languages."""
    files = load_tokenizer(folder)
    chosen = choose_template(files, None)
    assert (chosen.name, chosen.source) == ("alpaca", BUILT_IN["alpaca"])
    assert "no chat template" in chosen.reason and "没有对话模板" in chosen.reason_zh
    assert choose_template(files, "chatml").source == BUILT_IN["chatml"]
    (tmp_path / "own.jinja").write_text("own")
    assert choose_template(files, tmp_path / "own.jinja").source == "own"
    change(folder, chat_template="x")
    assert choose_template(load_tokenizer(folder), None).reason == "it is the tokenizer's own"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("tokenizer_config.json", b"[" * 100_000, "is not a JSON object"),
        ("tokenizer_config.json", b"\xff", "is not UTF-8 text"),
        ("tokenizer_config.json", b'{"chat_template": 5}', "has chat_template = 5, expected a text"),
        ("tokenizer_config.json", b" " * (9 << 20), "is longer than 8,388,608 bytes"),
        ("chat_template.jinja", b"x" * 70_000, "is longer than 65,536 bytes"),
    ],
)
def test_a_bad_file_is_named(folder: Path, file: str, content: bytes, reason: str) -> None:
    """With what was found and what is the most that is read."""
    (folder / file).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_tokenizer(folder)
    assert reason in str(caught.value) and file in str(caught.value)


def test_a_tokenizer_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a library reads it."""
    monkeypatch.setattr(tokenizer, "MAX_TOKENIZER_BYTES", 1000)
    with pytest.raises(DataError, match="bytes long, expected at most 1,000"):
        load_tokenizer(folder)


def test_a_slow_tokenizer_says_how_to_make_a_fast_one(tmp_path: Path) -> None:
    """A folder without tokenizer.json names the call that makes it."""
    with pytest.raises(DataError, match=r"has no tokenizer\.json.*save_pretrained"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["", "a b", "../x", "owner/../name", "a/b/c"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    """A Hub id is owner/name; everything else is a folder that is there."""
    with pytest.raises(DataError):
        load_tokenizer(name or "\n")


def test_the_hub_is_asked_for_its_cache_only_without_download(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is not there is an error that says what to try."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"tokenizer\.json of 'owner/none' is not in the Hub's cache"):
        load_tokenizer("owner/none", download=False)


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the pip command."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match="pip install 'tunesmith"):
        load_tokenizer("owner/name")


def test_an_unknown_template_names_the_known(folder: Path) -> None:
    """A word that is no template is not taken for one."""
    with pytest.raises(DataError, match="template is 'alpca', expected one of alpaca, alpaca_zh, chatml"):
        choose_template(load_tokenizer(folder), "alpca")
