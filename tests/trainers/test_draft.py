"""The text of files, the same to YAML 1.1 and 1.2, and commands whose words a shell keeps whole."""

from __future__ import annotations

import shlex

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.recipe.text import read_text
from tunesmith.trainers.draft import Draft, shell, written

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 62), 1 << 62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(
        st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85\xa0"), max_size=12
    ),
    st.sampled_from(
        ["no", "yes", "on", "1e-4", "0x1f", "null", "~", "12:30", "1_000", "2001-01-01", "=", "<<"]
    ),
)


@given(st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), VALUES, max_size=5))
def test_yaml_means_the_same_to_trainers_and_to_us(content: dict[str, object]) -> None:
    """PyYAML, which trainers use, and our own reader both give back what was written."""
    text = written("a.yaml", content, ["a head"])
    assert text.startswith("# a head\n")
    assert yaml.safe_load(text) == content
    if content:
        assert read_text(text, "a.yaml") == content


def test_a_head_stays_a_comment_whatever_it_says() -> None:
    """A line break in a model's name cannot end the comment."""
    text = written("a.yaml", {"a": 1}, ["model\nb: 2"])
    assert yaml.safe_load(text) == {"a": 1}


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20))
def test_a_word_of_the_command_is_one_word(text: str) -> None:
    """Whatever a name holds, a shell takes it for one argument."""
    assert shlex.split(shell(text)) == [text]


@pytest.mark.parametrize("options", ["expandable_segments:True", "it's:1"])
def test_the_allocator_is_set_before_the_command(options: str) -> None:
    """PYTORCH_CUDA_ALLOC_CONF stands before the command, quoted; without options nothing does."""
    draft = Draft(command="run me")
    draft.environment(None)
    assert draft.command == "run me"
    draft.environment(options)
    assert shlex.split(draft.command) == [f"PYTORCH_CUDA_ALLOC_CONF={options}", "run", "me"]
