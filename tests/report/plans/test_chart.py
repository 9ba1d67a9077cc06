"""The picture of a search: every recipe where its figures say, plans numbered, strangers' names inert."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tunesmith.hardware import gpu
from tunesmith.recipe.names import METHODS as NAMES
from tunesmith.report.palette import METHODS
from tunesmith.report.plans.chart import plans_svg
from tunesmith.search import Plans
from tunesmith.throughput import Interval
from tunesmith.units import GIB, gib

SVG = "{http://www.w3.org/2000/svg}"
Planned = Callable[..., Plans]


def drawn(plans: Plans, lang: str = "en") -> ElementTree.Element:
    return ElementTree.fromstring(plans_svg(plans, lang=lang))


def texts(picture: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in picture.iter(f"{SVG}text")]


def marks(picture: ElementTree.Element) -> list[ElementTree.Element]:
    """Return the recipes in the picture: groups that tell what they are."""
    return [each for each in picture.iter(f"{SVG}g") if each.find(f"{SVG}title") is not None]


def test_every_recipe_tells_what_it_is(planned: Planned) -> None:
    """Each recipe of the front has a mark whose title is its name, need and time; plans have numbers."""
    plans = planned()
    titles = [each.findtext(f"{SVG}title") for each in marks(drawn(plans))]
    assert len(titles) == len(plans.front)
    for point in plans.front:
        assert any(title and gib(point.process_bytes) in title for title in titles)
    numbered = [each.findtext(f"{SVG}text") for each in marks(drawn(plans))]
    assert [number for number in numbered if number] == ["3", "2", "1"]  # the first lies on top


def test_marks_lie_as_their_figures_do(planned: Planned) -> None:
    """What needs more lies higher, what takes longer further right; the card's line lies between them."""
    plans = planned()
    picture = drawn(plans)
    circles = [each for each in picture.iter(f"{SVG}circle") if each.get("r") == "4.2"]
    places = sorted((float(each.get("cx", 0)), float(each.get("cy", 0))) for each in circles)
    assert len(places) == 2 and places[0][1] > places[1][1]  # 47 GiB is faster and below 75
    (line,) = (each for each in picture.iter(f"{SVG}line") if each.get("class") == "limit")
    assert all(y < float(line.get("y1", 0)) for _, y in places)
    assert f"RTX 4090 ({gib(gpu('RTX 4090').memory_bytes)})" in texts(picture)


def test_a_card_far_above_is_named_and_not_drawn(planned: Planned) -> None:
    """The scale is the recipes', not that of a card many times as large."""
    small = tuple(replace(point, process_bytes=3 * GIB) for point in planned().front[3:])
    picture = drawn(planned(plans=(), front=small))
    assert not [each for each in picture.iter(f"{SVG}line") if each.get("class") == "limit"]
    assert any("RTX 4090" in text and "↑" in text for text in texts(picture))


def test_marks_that_would_lie_on_each_other_are_drawn_once(planned: Planned) -> None:
    """A hundred recipes of the same place make one mark; plans are never left out."""
    plans = planned()
    many = replace(plans, front=plans.front[:3] + plans.front[3:4] * 100)
    assert len(marks(drawn(many))) == 4


def test_what_is_many_times_too_large_does_not_stretch_the_scale(planned: Planned) -> None:
    """Of recipes beyond several cards, only the smallest of a method is drawn."""
    plans = planned()
    huge = replace(plans.front[3], process_bytes=4000 * GIB)
    titles = [
        each.findtext(f"{SVG}title") for each in marks(drawn(replace(plans, front=(*plans.front, huge))))
    ]
    assert not any("4,000" in (title or "") for title in titles)
    alone = [each.findtext(f"{SVG}title") for each in marks(drawn(planned(plans=(), front=(huge,))))]
    assert any("4,000" in (title or "") for title in alone)


def test_the_picture_has_both_languages(planned: Planned) -> None:
    """Each text that changes with the language is there in both, and shown in the one asked for."""
    for lang in ("en", "zh"):
        said = [each for each in drawn(planned(), lang).iter(f"{SVG}text") if each.get("data-en")]
        assert len(said) > 10
        assert all(each.text == each.get(f"data-{lang}") for each in said if each.text)


def test_every_method_has_a_shape_and_a_colour(planned: Planned) -> None:
    """No method is without a colour, and each is named in the legend when it is there."""
    assert set(METHODS) == set(NAMES)
    assert {"full fine-tuning", "LoRA", "QLoRA"} <= set(texts(drawn(planned())))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"onload="alert(1)', "a\nb\u202e", "x" * 9999])
def test_a_strangers_name_is_inert(planned: Planned, name: str) -> None:
    """A model's name adds no element and no line, and the picture stays well formed."""
    usual = [each.tag for each in drawn(planned()).iter()]
    text = plans_svg(planned(model=name))
    assert [each.tag for each in ElementTree.fromstring(text).iter()] == usual
    assert not re.search(r"[\x00-\x1f\u202a-\u202e]", text)


def test_odd_figures_can_be_drawn(planned: Planned) -> None:
    """One recipe alone, and a step of no time, make a picture all the same."""
    plans = planned()
    odd = replace(plans.plans[0], step_seconds=Interval(0.0, 0.0))
    for shown in (replace(plans, plans=(odd,), front=()), replace(plans, plans=(), front=plans.front[:1])):
        assert len(marks(drawn(shown))) == 1


def test_the_picture_is_kept(planned: Planned) -> None:
    """The picture of the search made by hand is the golden file; rewritten as the screens are."""
    place = Path(__file__).resolve().parents[2] / "golden" / "timeline" / "plans.svg"
    text = plans_svg(planned()) + "\n"
    if os.environ.get("TUNESMITH_REWRITE_GOLDEN"):
        place.write_text(text, encoding="utf-8")
    assert text == place.read_text(encoding="utf-8")
