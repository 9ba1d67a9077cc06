"""Drawings: they show the estimate's own figures and lose no peak.

Golden files are rewritten by TUNESMITH_REWRITE_GOLDEN=1, and then looked at by whoever changed them.
"""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tunesmith.errors import OutputError, UnsupportedError
from tunesmith.memory.estimate import Estimate, Traced, estimate_from
from tunesmith.memory.timeline import CATEGORIES, Phase, Storage, Timeline
from tunesmith.recipe import Recipe
from tunesmith.report.chart import picture_style
from tunesmith.report.timeline import write_timeline
from tunesmith.units import readable

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "timeline"
SVG = "{http://www.w3.org/2000/svg}"
Made = Callable[..., Estimate]
Drawn = Callable[..., str]


# -- the picture ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_picture_is_the_golden_one(made: Made, drawn: Drawn, lang: str) -> None:
    """A run made by hand has the picture of the golden file, in both languages."""
    path = GOLDEN / f"handmade.{lang}.svg"
    picture = drawn(made(), ".svg", lang)
    if os.environ.get("TUNESMITH_REWRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(picture, encoding="utf-8", newline="\n")
    assert picture == path.read_text(encoding="utf-8")


def test_the_picture_stands_alone(made: Made, drawn: Drawn) -> None:
    """The picture is well-formed, has no script, and names nothing outside itself."""
    picture = drawn(made(), ".svg")
    names = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(picture).iter()}
    assert names <= {
        *("svg", "title", "desc", "style", "defs", "pattern", "g"),
        *("rect", "line", "path", "circle", "text", "tspan"),
    }
    assert set(re.findall(r"https?://[^\"' )]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\(([^)]*)\)", picture)) <= {"#tunesmith-hatch"}


def test_the_peak_in_the_picture_is_the_estimate_s(made: Made, drawn: Drawn) -> None:
    """The dot stands at the peak's height on the grid's scale; its label says the value and the instant."""
    estimate = made(gpu=None)
    root = ElementTree.fromstring(drawn(estimate, ".svg"))
    dot = next(e for e in root.iter(f"{SVG}circle") if e.get("class") == "dot")
    unit = 2**30 if any(e.text == "GiB" for e in root.iter(f"{SVG}text")) else 2**20
    ticks = {}
    for tick in root.iter(f"{SVG}text"):
        if tick.get("class") == "soft figure" and tick.text is not None:
            ticks[float(tick.text) * unit] = float(tick.get("y", "")) - 4
    (low, bottom), (high, top) = min(ticks.items()), max(ticks.items())
    height = bottom + (top - bottom) * (estimate.peak.allocated_bytes - low) / (high - low)
    assert float(dot.get("cy", "")) == pytest.approx(height, abs=0.2)
    label = next("".join(e.itertext()) for e in root.iter(f"{SVG}text") if e.find(f"{SVG}tspan") is not None)
    assert readable(estimate.peak.allocated_bytes) in label and estimate.peak_at.phase in label


def test_the_areas_stack_up_to_the_peak(made: Made, drawn: Drawn) -> None:
    """The uppermost area is as high as the dot, and no area is higher than the one above it."""
    root = ElementTree.fromstring(drawn(made(gpu=None), ".svg"))
    tops = []
    for path in root.iter(f"{SVG}path"):
        if path.get("fill", "").startswith("#"):
            outline = path.get("d", "")
            tops.append(min(float(y) for y in re.findall(r"(?:V|M[\d.]+ )([\d.]+)", outline)))
    dot = next(e for e in root.iter(f"{SVG}circle") if e.get("class") == "dot")
    assert tops == sorted(tops)
    assert tops[0] == pytest.approx(float(dot.get("cy", "")), abs=0.1)


def test_the_legend_tells_the_parts(made: Made, drawn: Drawn) -> None:
    """Every part of the peak stands in the legend with its size, and so do the three totals."""
    estimate = made()
    texts = [e.text for e in ElementTree.fromstring(drawn(estimate, ".svg")).iter(f"{SVG}text")]
    for category, count in estimate.parts.items():
        assert texts[texts.index(category) + 1] == readable(count)
    totals = (estimate.peak.allocated_bytes, estimate.peak.reserved_bytes, estimate.peak.process_bytes)
    assert {readable(count) for count in totals} <= set(texts)


@pytest.mark.parametrize(("gpu", "said"), [("RTX 4090", "far above"), (None, "no card is named")])
def test_a_card_out_of_scale_is_told_in_words(made: Made, drawn: Drawn, gpu: str | None, said: str) -> None:
    """A card much larger than the run is not drawn to scale, and a missing one is told."""
    picture = drawn(made(gpu), ".svg")
    assert said in picture and 'class="limit"' not in picture


def test_a_card_of_the_run_s_size_is_a_line(made: Made, drawn: Drawn) -> None:
    """A card that the run nearly fills, or overfills, is a line at its memory, with the context below it."""
    estimate = made()
    assert estimate.gpu is not None
    small = replace(estimate, gpu=replace(estimate.gpu, memory_bytes=estimate.peak.reserved_bytes - 2**20))
    picture = drawn(replace(small, fits=False, margin_bytes=-(2**20)), ".svg")
    assert 'class="limit"' in picture and 'class="alarm"' in picture and "Does not fit" in picture


def test_the_readme_s_picture_is_of_this_tool() -> None:
    """The picture in the README is a drawing of today's style, well-formed, with a peak and a card."""
    picture = (Path(__file__).resolve().parents[2] / "docs" / "images" / "estimate.svg").read_text(
        encoding="utf-8"
    )
    root = ElementTree.fromstring(picture)
    assert root.findtext(f"{SVG}style") == picture_style()
    assert {"dot", "limit", "reserved"} <= {element.get("class") for element in root.iter()}
    assert "meta-llama/Meta-Llama-3-8B" in picture


# -- the data ---------------------------------------------------------------------------------------


def test_the_data_are_the_estimate_s(made: Made, drawn: Drawn) -> None:
    """The data hold the whole estimate; at the peak's column they are its parts to the byte."""
    estimate = made()
    data = json.loads(drawn(estimate, ".json"))
    assert data["estimate"] == json.loads(json.dumps(estimate.to_mapping()))
    column = data["peak"]["column"]
    parts = {name: counts[column] for name, counts in data["columns"]["parts"].items() if counts[column]}
    assert parts == dict(estimate.parts)
    assert data["columns"]["event"][column] == data["peak"]["event"]
    at_work = (
        data["modules"][data["columns"]["module"][column]],
        data["operations"][data["columns"]["operation"][column]],
    )
    assert at_work == (estimate.peak_at.module, estimate.peak_at.operation)


def test_the_parts_sum_in_every_column(made: Made, drawn: Drawn) -> None:
    """In every column the parts, and the storages that are alive, sum to what is allocated."""
    data = json.loads(drawn(made(), ".json"))
    storages = data["storages"]
    for column, allocated in enumerate(data["columns"]["allocated_bytes"]):
        event = data["columns"]["event"][column]
        alive = zip(storages["birth"], storages["end"], storages["bytes"], strict=True)
        assert sum(counts[column] for counts in data["columns"]["parts"].values()) == allocated
        assert sum(count for birth, end, count in alive if birth <= event < end) == allocated
        assert data["columns"]["reserved_bytes"][column] >= allocated


def test_phases_hold_every_column_once(made: Made, drawn: Drawn) -> None:
    """Columns lie in their phase's events, and phases follow one another without gaps."""
    data = json.loads(drawn(made(), ".json"))
    assert [p["first"] for p in data["phases"][1:]] == [p["stop"] for p in data["phases"][:-1]]
    for phase in data["phases"]:
        events = data["columns"]["event"][phase["first"] : phase["stop"]]
        assert events and all(phase["start"] <= event < phase["end"] for event in events)


def test_a_long_run_stays_small(drawn: Drawn) -> None:
    """A run of 200,000 events is drawn in files below 1.5 MB, and its peak, one event long, is in them."""
    storages, events = [], []
    for index in range(100_000):
        size = 10**9 if index == 54_321 else 10**6 + 512 * (index % 977)
        module = f"base_model.model.model.layers.{index % 80}.mlp.experts.{index % 64}.gate_proj"
        storages.append(
            Storage(bytes=size, category=CATEGORIES[index % 12], module=module, operation="aten::mm")
        )
        events.append(index + 1)
        if index >= 40:
            events.append(-(index - 39))
    cuts = [0, 500, 60_000, 150_000, len(events)]
    names = ("load", "step1.forward", "step1.backward", "step1.end")
    phases = tuple(
        Phase(name=name, start=start, end=end)
        for name, start, end in zip(names, cuts, cuts[1:], strict=False)
    )
    traced = Traced(
        timeline=Timeline(storages=tuple(storages), events=tuple(events), phases=phases),
        parameters=1,
        trainable_parameters=1,
        assumptions=(),
        versions={},
    )
    recipe = Recipe(model="gpt2", method="full")
    estimate = estimate_from(traced, model="gpt2", recipe=recipe, gpu=None)
    data = json.loads(drawn(estimate, ".json"))
    assert max(data["columns"]["allocated_bytes"]) == estimate.peak.allocated_bytes > 10**9
    for suffix, most in ((".json", 1_500_000), (".html", 1_500_000), (".svg", 150_000)):
        assert len(drawn(estimate, suffix).encode()) < most


# -- what cannot be drawn ---------------------------------------------------------------------------


@pytest.mark.parametrize("timeline", [None, Timeline(storages=(), events=(), phases=())])
def test_without_events_nothing_is_drawn(made: Made, tmp_path: Path, timeline: Timeline | None) -> None:
    """An estimate without a timeline cannot be drawn, and no file appears."""
    with pytest.raises(UnsupportedError, match="no timeline"):
        write_timeline(replace(made(), timeline=timeline), tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "a", "svg", "a.svg.gz"])
def test_other_suffixes_are_refused(made: Made, tmp_path: Path, name: str) -> None:
    """A suffix that is no drawing's is an error that names the ones that are."""
    with pytest.raises(OutputError, match=r"\.html, \.svg or \.json"):
        write_timeline(made(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
