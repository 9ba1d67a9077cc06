"""The palette: every category has its colour, and readers with any sight can tell colours apart."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from tunesmith.memory.timeline import CATEGORIES
from tunesmith.report.palette import COLORS, DARK, LIGHT, METHODS

Rgb = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, table for severity 1.0; rows give linear red, green and blue.
SIGHTS: dict[str, tuple[Rgb, Rgb, Rgb]] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(color: str) -> Rgb:
    """Return a hexadecimal sRGB colour as linear light."""
    values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return red, green, blue


def oklab(rgb: Rgb) -> Rgb:
    """Return linear light in OKLab, as https://bottosson.github.io/posts/oklab/ defines it."""
    r, g, b = rgb
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def distance(one: str, other: str, sight: str) -> float:
    """Return how far apart two colours look, in hundredths of OKLab."""
    points = []
    for color in (one, other):
        rgb = linear(color)
        red, green, blue = (
            min(1.0, max(0.0, sum(a * b for a, b in zip(row, rgb, strict=True)))) for row in SIGHTS[sight]
        )
        points.append(oklab((red, green, blue)))
    return 100 * sum((a - b) ** 2 for a, b in zip(*points, strict=True)) ** 0.5


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    lights = sorted(
        sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True)) for c in (one, other)
    )
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def test_every_category_has_a_colour() -> None:
    """The palette has the categories, in their order, and no other."""
    assert tuple(COLORS) == CATEGORIES


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_can_be_told_apart(sight: str) -> None:
    """Any two colours differ, and neighbours in the stack clearly, for this sight."""
    for one, other in combinations(COLORS.values(), 2):
        assert distance(one, other, sight) > 7
    for one, other in pairwise(COLORS.values()):
        assert distance(one, other, sight) > 14


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(palette: dict[str, str]) -> None:
    """Text has the contrast that WCAG 2 asks of it (4.5) on the panel and on the plot."""
    for ink in ("ink", "soft", "alarm", "calm"):
        for ground in ("panel", "plot"):
            assert contrast(palette[ink], palette[ground]) >= 4.5


def test_methods_can_be_told_apart_and_seen() -> None:
    """Colours of methods differ for every sight, and stand out from both plots by WCAG 2's 3 to 1."""
    for sight in SIGHTS:
        for one, other in combinations(METHODS.values(), 2):
            assert distance(one, other, sight) > 7
    for color in METHODS.values():
        assert contrast(color, LIGHT["plot"]) >= 3
        assert contrast(color, DARK["plot"]) >= 3
