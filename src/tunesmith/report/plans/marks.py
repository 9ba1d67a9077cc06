"""The marks of the picture: shapes and colours of methods, lines through them, their names, the legend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tunesmith.recipe import Recipe
from tunesmith.report.bilingual import pair, said
from tunesmith.report.markup import Markup, clipped, number, tag, width
from tunesmith.report.naming import Texts, differing, method_name, named, shared
from tunesmith.report.palette import METHODS
from tunesmith.report.plans.figures import span
from tunesmith.report.plans.scale import Scale
from tunesmith.search import Point
from tunesmith.units import gib

_NAMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "full": ("full fine-tuning", "全参数微调"),
        "freeze": ("partial fine-tuning", "部分参数微调"),
        "lora": ("LoRA", "LoRA"),
        "qlora": ("QLoRA", "QLoRA"),
    }
)

_PLAN, _OTHER, _LEGEND = 9.0, 4.2, 6.0
"""Half the size of a plan's mark, of another's and of one in the legend."""
_APART: Final = 6.0
"""Pixels by which marks of one method lie apart."""
_ROW: Final = 20.0
"""Height of a line of the legend."""
_TOLD: Final = 5
"""Plans in the legend; there is no room for more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One recipe in the picture."""

    point: Point
    """What it stands for."""
    rank: int
    """Its number among the plans; 0 where it is none of them."""
    x: float
    """Pixels from the left."""
    y: float
    """Pixels from the top."""


Box = tuple[float, float, float, float]
"""Left, top, right and bottom of something that should not be written over."""


def thinned(marks: Iterable[Mark]) -> list[Mark]:
    """Return *marks* without those that would lie on another of the same method and fit; plans all stay."""
    kept: list[Mark] = []
    for mark in sorted(marks, key=lambda each: each.rank == 0):
        if mark.rank or not any(_covers(other, mark) for other in kept):
            kept.append(mark)
    return kept


def _covers(other: Mark, mark: Mark) -> bool:
    """Return whether *other* is of the same method and fit as *mark* and lies where it does."""
    alike = other.point.recipe.method == mark.point.recipe.method and other.point.fits == mark.point.fits
    apart = _PLAN + _OTHER - 1 if other.rank else _APART
    return alike and abs(other.x - mark.x) < apart and abs(other.y - mark.y) < apart


def fronts(marks: Sequence[Mark]) -> Iterator[Markup]:
    """Yield for each method the line through its recipes that none of its own beats in memory and time."""
    for method, color in METHODS.items():
        mine = sorted((m.x, m.y) for m in marks if m.point.recipe.method == method)
        line: list[tuple[float, float]] = []
        for x, y in mine:
            if not line or y > line[-1][1]:
                line.append((x, y))
        if len(line) > 1:
            path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in line)
            yield tag("path", d=path, fill="none", stroke=color, stroke_width=1.5, opacity=0.45)


def whisker(mark: Mark, time: Scale) -> Markup:
    """Return the interval of a recipe's step time."""
    low, high = (time.at(max(end, time.low or 1e-9)) for end in mark.point.step_seconds)
    color = METHODS[mark.point.recipe.method]
    path = f"M{number(low)} {number(mark.y)}H{number(high)}M{number(low)} {number(mark.y - 4)}v8"
    path += f"M{number(high)} {number(mark.y - 4)}v8"
    return tag("path", d=path, fill="none", stroke=color, stroke_width=1.6, opacity=0.75)


def _shape(method: str, x: float, y: float, size: float, *, filled: bool) -> Markup:
    """Return the method's shape around a point: a circle, a square, a triangle or a diamond."""
    color = METHODS[method]
    paint: dict[str, str | float] = {"stroke": color, "stroke_width": 1.8}
    paint |= {"fill": color} if filled else {"fill": "none"}
    if method == "full":
        return tag("circle", cx=x, cy=y, r=size, **paint)
    corners = {
        "freeze": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "lora": ((0.0, -1.2), (1.15, 0.85), (-1.15, 0.85)),
        "qlora": ((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),
    }[method]
    path = "M" + "L".join(f"{number(x + size * a)} {number(y + size * b)}" for a, b in corners) + "Z"
    return tag("path", d=path, stroke_linejoin="round", **paint)


def drawn_mark(mark: Mark, lang: str) -> Markup:
    """Return a recipe's mark; pointed at, it tells what it is."""
    point = mark.point
    told = f"{named(point.recipe, lang)}: {gib(point.process_bytes)}, {span(point.step_seconds)} s"
    size = _PLAN if mark.rank else _OTHER
    drawn = [tag("title", told), _shape(point.recipe.method, mark.x, mark.y, size, filled=point.fits)]
    if mark.rank:
        drawn.insert(1, tag("circle", class_="panel halo", cx=mark.x, cy=mark.y, r=size + 1))
        drawn.append(_digit(mark.rank, mark.x, mark.y))
    return tag("g", *drawn)


def _digit(rank: int, x: float, y: float) -> Markup:
    return tag(
        "text", str(rank), class_="digit", x=x, y=y + 4, text_anchor="middle", font_size=11, font_weight=700
    )


def labels(marks: Sequence[Mark], lang: str, *, within: Box, taken: Sequence[Box]) -> Iterator[Markup]:
    """Yield the name of each method at one of its marks, *within* the plot and where nothing else stands.

    *taken* are places of things that are no marks.
    """
    left, top, right, bottom = within
    taken = [*taken]
    for mark in marks:
        size = _PLAN if mark.rank else _OTHER
        taken.append((mark.x - size - 2, mark.y - size - 2, mark.x + size + 2, mark.y + size + 2))
    for method, names in _NAMES.items():
        wide = max(width(name, 11.5) for name in names)
        mine = sorted((mark for mark in marks if mark.point.recipe.method == method), key=lambda m: m.y)
        for mark in mine:
            spot = next(
                (
                    box
                    for box in _around(mark, wide)
                    if box[0] > left + 2
                    and box[2] < right - 2
                    and box[1] > top + 2
                    and box[3] < bottom - 2
                    and not any(_meet(box, other) for other in taken)
                ),
                None,
            )
            if spot is not None:
                taken.append(spot)
                x, y = number(spot[0] + 2), number(spot[3] - 4)
                yield said("text", *names, lang, class_="halo", x=x, y=y, font_size="11.5", font_weight="600")
                break


def _around(mark: Mark, wide: float) -> Iterator[Box]:
    """Yield places for a name: to the right of a mark, above, below, to the left."""
    gap = (_PLAN if mark.rank else _OTHER) + 5
    high, half = 16.0, wide / 2
    yield mark.x + gap, mark.y - high / 2, mark.x + gap + wide + 4, mark.y + high / 2
    yield mark.x - half - 2, mark.y - gap - high, mark.x + half + 2, mark.y - gap
    yield mark.x - half - 2, mark.y + gap, mark.x + half + 2, mark.y + gap + high
    yield mark.x - gap - wide - 4, mark.y - high / 2, mark.x - gap, mark.y + high / 2


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def legend(marks: Sequence[Mark], lang: str, *, left: float, right: float, top: float) -> Iterator[Markup]:
    """Yield the methods with their shapes, and the plans with their numbers and what they differ in."""
    y = top + 10
    for method, names in _NAMES.items():
        if any(mark.point.recipe.method == method for mark in marks):
            yield _shape(method, left + 6, y - 4, _LEGEND, filled=True)
            yield said("text", *names, lang, x=number(left + 20), y=number(y), font_size="11.5")
            y += _ROW
    plans = sorted((mark for mark in marks if mark.rank), key=lambda mark: mark.rank)
    if plans:
        yield tag("line", class_="edge", x1=left, x2=right, y1=y - 8, y2=y - 8)
        y += 2
    same = shared([mark.point.recipe for mark in plans]) if len(plans) > 1 else frozenset()
    for mark in plans[:_TOLD]:
        y += 8
        recipe = mark.point.recipe
        yield _shape(recipe.method, left + 8, y, _LEGEND + 2, filled=True)
        yield _digit(mark.rank, left + 8, y)
        room = right - left - 24
        at = {"x": number(left + 24), "font_size": "11.5", "font_weight": "600"}
        yield said("text", *method_name(recipe), lang, y=number(y + 4), **at)
        rests = _clipped(recipe, same, room)
        yield said(
            "text", *rests, lang, class_="soft", x=number(left + 24), y=number(y + 18), font_size="10.5"
        )
        need = f"{gib(mark.point.process_bytes)} · {span(mark.point.step_seconds)} s"
        yield tag("text", need, class_="soft figure", x=left + 24, y=y + 32, font_size=10.5)
        y += 38


def _clipped(recipe: Recipe, same: frozenset[str], room: float) -> Texts:
    """Return what *recipe* differs in, cut off where there is no room for more."""
    return pair(lambda lang: clipped(differing(recipe, same, lang), 10.5, room))
