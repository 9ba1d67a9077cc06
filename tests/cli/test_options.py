"""Options: a flag for every key of a recipe, with help in both languages, and nothing guessed."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.api import flags
from tunesmith.cli import main
from tunesmith.cli.options import parse


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_key_of_a_recipe_is_in_the_help(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help names a flag for every key, and its line in the language that was asked for."""
    assert main(["estimate", "--lang", lang, "--help"]) == 0
    text = re.sub(r"\s+", "", capsys.readouterr().out)
    for flag in flags():
        if flag.key != "model":
            assert any(name in text for name in flag.names), flag.key
            assert re.sub(r"\s+", "", flag.chinese if lang == "zh" else flag.english) in text, flag.key


@pytest.mark.parametrize("flag", flags(), ids=lambda flag: flag.key)
def test_every_spelling_sets_its_key(flag: object) -> None:
    """Each spelling of a flag, with ``=`` or a blank, gives the value that the recipe's own kind reads."""
    from tunesmith.recipe import Flag

    assert isinstance(flag, Flag)
    text = flag.choices[0] if flag.choices else "8"
    for name in flag.names:
        for given_as in ([f"{name}={text}"], [name, text]):
            _, changes = parse(["estimate", "gpt2", *given_as])
            assert changes[flag.key] == flag.read(text)


def test_only_what_was_given_is_a_change() -> None:
    """A flag that was not given leaves no trace, so that a recipe's own value stands."""
    own, changes = parse(["estimate", "--recipe", "r.yaml"])
    assert changes == {}
    assert own["recipe"] == "r.yaml"


def test_the_language_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """LC_ALL goes before LC_MESSAGES before LANG; an option goes before all."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert parse(["estimate", "gpt2"])[0]["lang"] == "en"
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    assert parse(["estimate", "gpt2"])[0]["lang"] == "zh"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert parse(["estimate", "gpt2"])[0]["lang"] == "en"
    assert parse(["estimate", "gpt2", "--lang=zh"])[0]["lang"] == "zh"


@given(
    st.lists(
        st.one_of(st.text(max_size=12), st.sampled_from(["--gpu", "--json", "--lang", "--", "-", "estimate"]))
    )
)
def test_any_arguments_end_in_a_parse_or_in_a_refusal(arguments: list[str]) -> None:
    """Whatever is typed, it is parsed or refused with 2; help and the version are 0."""
    try:
        own, changes = parse(["estimate", *arguments])
    except SystemExit as stop:
        assert stop.code in (0, 2), shlex.join(arguments)
    else:
        assert own["recipe"] is not None or "model" in changes
