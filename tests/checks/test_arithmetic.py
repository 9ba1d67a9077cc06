"""Arithmetic: expressions come to what fractions say, and nothing in them is run or grows without bound."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.arithmetic import NotComputedError, comes_to, computed, decimal_places, plain_signs

Pair = tuple[str, Fraction]


def _joined(sides: tuple[Pair, str, Pair, bool]) -> Pair:
    (one, left), sign, (other, right), spaced = sides
    if sign == "/" and not right:
        sign = "+"
    value = {"+": left + right, "-": left - right, "*": left * right}.get(sign)
    gap = " " if spaced else ""
    return f"({one}{gap}{sign}{gap}{other})", left / right if value is None else value


NUMBERS = st.one_of(
    st.integers(0, 99_999).map(lambda n: (f"{n:,}", Fraction(n))),
    st.decimals(0, 999, places=2).map(lambda d: (str(d), Fraction(d))),
)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner, st.booleans()).map(_joined),
    max_leaves=10,
)


@given(EXPRESSIONS)
def test_expressions_come_to_what_fractions_say(made: Pair) -> None:
    """Sums, differences, products and quotients in brackets are exact."""
    text, value = made
    assert computed(text) == value


@given(st.lists(st.tuples(st.integers(1, 99), st.sampled_from("+-*/")), min_size=2, max_size=8))
def test_products_come_before_sums_and_the_left_before_the_right(terms: list[tuple[int, str]]) -> None:
    """Without brackets the order is that of arithmetic, and print's signs are as good as a keyboard's."""
    total, product, sign = Fraction(0), Fraction(terms[0][0]), 1
    text = str(terms[0][0])
    for (number, _), (_, operator) in zip(terms[1:], terms, strict=False):
        text += f" {operator} {number}"
        if operator in "*/":
            product = product * number if operator == "*" else product / number
        else:
            total, product, sign = total + sign * product, Fraction(number), 1 if operator == "+" else -1
    value = total + sign * product
    assert computed(text) == value
    assert computed(plain_signs(text.replace("*", "×").replace("/", "÷").replace("-", "−"))) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-3 + 5", 2),
        ("2^3^2", 512),
        ("-2^2", -4),
        ("(1+2)(3+4)", 21),
        ("17 mod 5", 2),
        ("17 % 5", 2),
        ("50%", Fraction(1, 2)),
        ("10^-2", Fraction(1, 100)),
        (".5 * 4", 2),
        ("--3", 3),
    ],
)
def test_powers_percents_remainders_and_signs(text: str, value: Fraction) -> None:
    """Powers bind to the right and before a sign; a per cent sign before a number is a remainder."""
    assert computed(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "1 +",
            "(1",
            "1)",
            "1 2",
            "2 ** 3",
            "9^99",
            "(9^60)^60",
            "1/0",
            "1 % 0",
            "0^-1",
            "2^(1/2)",
        ),
        *("__import__('os')", "(" * 500 + "1" + ")" * 500, "1+" * 1000 + "1", "9" * 100, "^".join("2" * 50)),
    ],
)
def test_what_is_no_expression_or_too_large_is_refused(text: str) -> None:
    """A stranger's text is refused at once: no name is looked up, nothing nests or grows without bound."""
    with pytest.raises(NotComputedError):
        computed(text)


@given(st.fractions(-1000, 1000, max_denominator=1000), st.integers(0, 6))
def test_a_rounded_result_is_right_and_one_further_off_is_not(value: Fraction, digits: int) -> None:
    """A result may be rounded or cut at its last place; two units in it are too much."""
    result = f"{float(value):.{digits}f}"
    assert comes_to(value, Fraction(result), decimal_places(result))
    unit = Fraction(1, 10**digits)
    assert not comes_to(value, Fraction(result) + 2 * unit, digits)


def test_signs_of_print_and_latex_are_those_of_a_keyboard() -> None:
    """Full width, currency and LaTeX make no difference."""
    assert computed(plain_signs("（１２＋３）× 4 ÷ ２")) == 30
    assert computed(plain_signs(r"\frac{1}{2} \times \left( 3 + 5 \right)")) == 4
    assert computed(plain_signs("$1,200.50 + ￥3")) == Fraction("1203.5")
