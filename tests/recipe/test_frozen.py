"""Inline mappings are copied in within bounds and cannot be changed."""

import copy
import json
import pickle

import pytest

from tunesmith.recipe.frozen import MAX_DEPTH, MAX_NODES, FrozenDict, frozen, thawed
from tunesmith.recipe.problems import Problem


def refused(value: dict) -> str:
    problems: list[Problem] = []
    assert frozen(value, "model", problems) is None
    return "\n".join(problem.text() for problem in problems)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.update(a=2),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("b", 2),
        lambda d: d.__ior__({"b": 2}),
    ],
)
def test_every_way_to_change_it_is_refused(change):
    """The mapping stays as it was, and the error says what to call instead."""
    mapping = FrozenDict(a=1)
    with pytest.raises(TypeError, match=r"recipe\.replace"):
        change(mapping)
    assert mapping == {"a": 1}


def test_equal_mappings_hash_alike():
    """Order, and 1 beside 1.0, make no difference, because they make none to equality."""
    one, other = FrozenDict(a=[1, {"b": 2}], c=3), FrozenDict(c=3.0, a=[1.0, {"b": 2}])
    assert one == other
    assert hash(one) == hash(other)


def test_copies_are_equal_and_still_frozen():
    """copy, deepcopy and a process boundary hand over the same mapping."""
    mapping = frozen({"a": {"b": [1]}}, "model", [])
    for again in (copy.copy(mapping), copy.deepcopy(mapping), pickle.loads(pickle.dumps(mapping))):
        assert again == mapping
        assert isinstance(again["a"], FrozenDict)


def test_the_copy_is_deep():
    """Changing what was handed in changes nothing in the copy, and thawed hands out what may be changed."""
    given = {"a": {"b": [1, 2]}}
    kept = frozen(given, "model", [])
    given["a"]["b"].append(3)
    free = thawed(kept)
    free["a"]["b"].append(4)
    assert kept == {"a": {"b": [1, 2]}}
    assert json.dumps(kept) == '{"a": {"b": [1, 2]}}'


def test_a_mapping_that_holds_itself_is_refused():
    """The copy stops at its depth, with one problem rather than one for each level."""
    loop: dict = {}
    loop["self"] = loop
    loop["again"] = [loop, loop]
    assert refused(loop).count("\n") == 0
    assert f"at most {MAX_DEPTH} levels" in refused(loop)


def test_depth_and_number_are_bounded_exactly():
    """The deepest and largest mappings that are allowed pass, one more does not."""
    deep: dict = {}
    for _ in range(MAX_DEPTH):
        deep = {"a": deep}
    assert frozen(deep, "model", []) == deep
    assert "levels" in refused({"a": deep})
    wide = {"a": [0] * (MAX_NODES - 2)}
    assert frozen(wide, "model", []) == wide
    assert "values" in refused({"a": [0] * (MAX_NODES - 1)})


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "a finite number"),
        (float("-inf"), "a finite number"),
        (1 << 63, "an integer of 64 bits"),
        (b"bytes", "a Python bytes"),
        ({1, 2}, "a Python set"),
        ("a\nb", "without control characters"),
        ("\ud800", "without control characters"),
        ("${HOME}", "nothing is interpolated"),
        ("x" * 5000, "at most 4096 characters"),
        ({1: "a"}, "text as a key"),
        ({"${x}": "a"}, "nothing is interpolated"),
    ],
)
def test_what_json_cannot_say_is_refused_by_name(value, says):
    """The problem names the key inside the mapping and what was expected of it."""
    told = refused({"good": 1, "bad": [0, value]})
    assert told.startswith("model.bad[1]:")
    assert says in told
