"""Mistakes are told with their key, what was given, what was expected and what to do."""

import pytest

from tunesmith.errors import RecipeError
from tunesmith.recipe.problems import (
    MAX_PROBLEMS,
    Problem,
    nearest,
    recipe_error,
    show,
    unknown_key,
    wrong_name,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1 << 100, "an integer of 101 bits"),
        (0.5, "0.5"),
        ("gpt2", "'gpt2'"),
        ("x" * 100, "'" + "x" * 57 + "...'"),
        ({}, "an empty mapping"),
        ({"a": 1}, "a mapping of 1 keys"),
        ([], "an empty list"),
        ((1, 2), "a list of 2"),
        (b"", "a Python bytes"),
    ],
)
def test_any_value_is_shown_short(value, text):
    """A message stays readable whatever was given."""
    assert show(value) == text


def test_the_nearest_name_ignores_case_and_dashes():
    """A flag's spelling in a file is recognised."""
    assert nearest("Per-Device-Train-Batchsize", ["per_device_train_batch_size", "packing"]) == (
        "per_device_train_batch_size"
    )
    assert nearest("temperature", ["packing"]) is None


def test_a_long_list_of_names_is_not_repeated_beside_a_near_miss():
    """Forty names are counted when one of them was meant, and listed when none was."""
    many = tuple(f"name_{i}" for i in range(40))
    assert wrong_name("optim", "name_z7", many).expected == "one of 40 names"
    assert "name_39" in wrong_name("optim", "?", many).expected


def test_an_unknown_key_has_its_dotted_path():
    """The section is named, and advice of the section's own if no key is near."""
    near = unknown_key("rang", ["rank", "alpha"], "adapter")
    assert near.text() == "adapter.rang: given an unknown key, expected a key of adapter. Did you mean rank?"
    far = unknown_key("x", ["rank", "alpha"], "adapter", "Look elsewhere.")
    assert far.text() == "adapter.x: given an unknown key, expected one of alpha, rank. Look elsewhere."


def test_the_error_lists_problems_in_the_order_of_the_file():
    """A problem of a nested key without a line of its own gets the line of its section."""
    problems = [Problem(key, "1", "2", "Fix.") for key in ("z", "list[3]", "a.b", "unplaced")]
    error = recipe_error(problems, {"z": 9, "a": 2, "list": 4}, "file.yaml")
    assert isinstance(error, RecipeError)
    keys = [line.split(":")[0].strip() for line in str(error).splitlines()[1:]]
    assert keys == ["unplaced", "a.b (line 2)", "list[3] (line 4)", "z (line 9)"]
    assert str(error).startswith("file.yaml has 4 problems:\n")


def test_a_flood_of_problems_is_cut():
    """The count is exact even when not all are listed."""
    error = recipe_error([Problem("k", "1", "2", "Fix.")] * 50, {}, "recipe")
    assert len(str(error).splitlines()) == MAX_PROBLEMS + 2
    assert str(error).startswith("recipe has 50 problems:")
    assert str(error).endswith("and 30 more")
