"""Each kind reads one value strictly, and texts only from a command line."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunesmith.recipe.kinds import (
    INVALID,
    Boolean,
    Choice,
    Integer,
    Kind,
    Model,
    Names,
    Nullable,
    Number,
    Plain,
    Text,
)
from tunesmith.recipe.problems import Problem

CHOICE = Choice(("bfloat16", "float32"), {"bf16": "bfloat16"})
KINDS: list[Kind] = [
    CHOICE,
    Choice(("LORA", "VERA"), upper=True),
    Text(),
    Boolean(),
    Integer(1, 100),
    Number(0, 1, below_high=True),
    Names("names"),
    Names("names", alone=True, empty=True),
    Plain("a mapping"),
    Plain("a mapping", {"use_reentrant": Boolean()}),
    Nullable(Integer(1, 100)),
    Model(),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=8,
)


def read(kind: Kind, value: object) -> tuple[object, list[Problem]]:
    problems: list[Problem] = []
    return kind.read(value, "key", problems), problems


@pytest.mark.parametrize(
    ("kind", "value", "canonical"),
    [
        (CHOICE, " BF16 ", "bfloat16"),
        (Choice(("LORA",), upper=True), "lora", "LORA"),
        (Text(), "gpt2", "gpt2"),
        (Boolean(), False, False),
        (Integer(1, 100), 100, 100),
        (Number(0, 1), 1, 1.0),
        (Number(0, 1), "1e-4", 1e-4),
        (Number(0, 1), -0.0, 0.0),
        (Names("names"), ["q", "v"], ("q", "v")),
        (Names("names", alone=True), "all-linear", "all-linear"),
        (Names("names", empty=True), [], ()),
        (Plain("a mapping", {"a": Boolean()}, {"b": 1}), {"a": True}, {"a": True, "b": 1}),
        (Nullable(Boolean()), None, None),
        (Model(), {"model_type": "llama"}, {"model_type": "llama"}),
    ],
)
def test_a_good_value_becomes_canonical(kind, value, canonical):
    """Aliases, letter case and number types come out in one form."""
    out, problems = read(kind, value)
    assert (out, problems) == (canonical, [])
    assert isinstance(canonical, dict) or repr(out) == repr(canonical)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (CHOICE, "bflaot16", "given 'bflaot16', expected one of bfloat16, float32. Did you mean bfloat16?"),
        (CHOICE, 16, "given 16, expected one of bfloat16, float32. Choose one of them."),
        (Text(), " ", "given ' ', expected text. Write it as text that is not empty."),
        (Boolean(), 1, "given 1, expected true or false."),
        (Boolean(), "true", "given 'true', expected true or false. Write true or false, without quotes."),
        (Integer(1, 9), True, "given true, expected an integer from 1 to 9. Write a whole number."),
        (Integer(1, 9), 2.0, "given 2.0, expected an integer from 1 to 9. Write a whole number."),
        (Integer(1, 9), "8", "given '8', expected an integer from 1 to 9. Write 8 without quotes."),
        (Integer(1, 9), 10, "given 10, expected an integer from 1 to 9. The most is 9."),
        (Integer(1, 9), 0, "given 0, expected an integer from 1 to 9. The least is 1."),
        (Number(0, 1, below_high=True), 1.0, "given 1.0, expected a number from 0 to below 1."),
        (Number(0, 1), True, "given true, expected a number from 0 to 1."),
        (Number(0, 1), math.nan, "given nan, expected a number from 0 to 1."),
        (Number(0, 1), 10**400, "given an integer of 1329 bits, expected a number"),
        (Number(0, 1), "1e-4x", "given '1e-4x', expected a number"),
        (Names("names"), [], "given an empty list, expected names."),
        (Names("names"), "q", "given 'q', expected names. Write a list, e.g. [q_proj, v_proj]."),
        (Names("names"), ["q", 1], "key[1]: given 1, expected a name."),
        (
            Plain("a mapping", {"use_reentrant": Boolean()}),
            {"use_rentrant": True},
            "Did you mean use_reentrant?",
        ),
        (Plain("a mapping"), [], "given an empty list, expected a mapping."),
        (Nullable(CHOICE), "none", "expected one of bfloat16, float32, or null. Write null."),
        (Nullable(Integer(1, 9)), 10, "expected an integer from 1 to 9, or null. The most is 9."),
        (
            Model(),
            {},
            "given an empty mapping, expected a model's name, a path, or a config.json as a mapping.",
        ),
    ],
)
def test_a_bad_value_is_told_with_what_to_do(kind, value, says):
    """INVALID comes back and one problem says it all."""
    out, problems = read(kind, value)
    assert out is INVALID
    assert [says in problem.text() for problem in problems] == [True], problems


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (CHOICE, "bf16", "bf16"),
        (Boolean(), "True", True),
        (Boolean(), "yes", "yes"),
        (Integer(1, 9), "-5", -5),
        (Integer(1, 9), "1_0", "1_0"),
        (Integer(1, 9), "٤", "٤"),
        (Number(0, 1), "1e-4", 1e-4),
        (Number(0, 1), "nan", "nan"),
        (Names("n"), "q, v", ["q", "v"]),
        (Names("n"), "[q,v]", ["q", "v"]),
        (Names("n"), "lm_head", ["lm_head"]),
        (Names("n", alone=True), "all-linear", "all-linear"),
        (Names("n", alone=True), "q,v", ["q", "v"]),
        (Names("n", alone=True), r"layers\.(1|2){1,2}", r"layers\.(1|2){1,2}"),
        (Plain("m"), '{"a": true}', {"a": True}),
        (Plain("m"), "a: true", "a: true"),
        (Nullable(Integer(1, 9)), "null", None),
        (Nullable(Integer(1, 9)), "5", 5),
    ],
)
def test_a_text_from_a_command_line_becomes_a_value(kind, text, value):
    """What stands for nothing stays text, for the reader to refuse."""
    assert kind.from_text(text) == value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@given(value=ANYTHING)
def test_no_value_makes_a_kind_fail(kind, value):
    """Anything at all is read or told as a problem, and what was read reads as itself."""
    out, problems = read(kind, value)
    assert (out is INVALID) == bool(problems)
    if out is not INVALID:
        assert read(kind, out) == (out, [])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@given(text=st.text())
@example(text="0\x1f")
@example(text="\x1f0.5")
def test_no_text_makes_a_kind_fail(kind, text):
    """Any command line is read or told as a problem."""
    out, problems = read(kind, kind.from_text(text))
    assert (out is INVALID) == bool(problems)
