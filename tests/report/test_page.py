"""The page: whole without script, closed to any other script, and no name in any drawing can act."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tunesmith.memory.estimate import Estimate, Suggestion, Traced, estimate_from
from tunesmith.memory.timeline import CATEGORIES, Timeline
from tunesmith.report.assumptions import sentence
from tunesmith.report.timeline import write_timeline
from tunesmith.report.words import CATEGORY_NAMES
from tunesmith.units import readable

HOSTILE = (
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "' onmouseover='alert(1)",
    "</script><img src=x onerror=alert(1)>",
    "]]></style><script>alert(1)</script>",
    "line\nbreak\r\x00\x1b[31m",
    "\u202etxt.exe\u2066",
    "&lt;b&gt;&amp;#60;",
    "\u2028\u2029\ud800",
    "x" * 10_000,
    "שלום/模型",
)
Made = Callable[..., Estimate]
Drawn = Callable[..., str]


class Page(html.parser.HTMLParser):
    """Elements of a page with their attributes, its scripts and styles, and what is still open at its end."""

    VOID = frozenset({"meta", "path", "rect", "line", "circle", "img"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.scripts[-1] += data
        elif inside == "style":
            self.styles[-1] += data
        else:
            self.text.append(data)


def hostile(made: Made, name: str) -> Estimate:
    """Return the handmade run with *name* wherever a stranger's text can stand."""
    estimate = made(model=name)
    assert estimate.timeline is not None
    storages = tuple(replace(s, module=name, operation=name) for s in estimate.timeline.storages)
    phases = tuple(replace(p, name=f"step1.{name}{i}") for i, p in enumerate(estimate.timeline.phases))
    traced = Traced(
        timeline=Timeline(storages=storages, events=estimate.timeline.events, phases=phases),
        parameters=1,
        trainable_parameters=1,
        assumptions=(name,),
        versions={"torch": name},
    )
    answer = estimate_from(traced, model=name, recipe=estimate.recipe, gpu=estimate.gpu)
    return replace(answer, suggestions=(suggestion(change={name: name}, reason=name, reason_zh=name),))


def suggestion(**changes: Any) -> Suggestion:
    """Return a suggestion that saves a GiB."""
    return Suggestion(
        **{
            "change": {"gradient_checkpointing": True},
            "allocated_bytes": 2**30,
            "reserved_bytes": 2**30,
            "process_bytes": 3 * 2**30,
            "saved_bytes": 2**30,
            "fits": True,
            "reason": "Layers are computed again.",
            "reason_zh": "重新计算各层。",
            **changes,
        }
    )


# -- the page ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_is_whole_without_script(made: Made, drawn: Drawn, lang: str) -> None:
    """The markup alone holds parts, phases, assumptions and versions; every tag is closed."""
    estimate = made()
    page = Page(drawn(estimate, ".html", lang))
    assert page.open == []
    text = " ".join(page.text)
    for count in estimate.parts.values():
        assert f"{count:,}" in text
    assert estimate.timeline is not None
    assert all(phase.name in text for phase in estimate.timeline.phases)
    assert all(sentence(assumption, lang) in text for assumption in estimate.assumptions)
    assert "torch 2.13.0" in text and readable(estimate.peak.process_bytes) in text


def test_the_page_s_data_are_the_data(made: Made, drawn: Drawn) -> None:
    """The page's script reads the same data that the .json file holds, and words in both languages."""
    estimate = made()
    data = json.loads(Page(drawn(estimate, ".html")).scripts[0])
    assert data | json.loads(drawn(estimate, ".json")) == data
    assert data["words"]["en"].keys() == data["words"]["zh"].keys()
    for category in CATEGORIES:
        names = tuple(data["words"][lang][f"category {category}"] for lang in ("en", "zh"))
        assert names == (category, CATEGORY_NAMES[category])
    assert data["lang"] == "en"


def test_the_page_s_script_finds_its_words_and_elements(made: Made, drawn: Drawn) -> None:
    """Every word and element that the script asks for by name is in the page."""
    page = Page(drawn(made(), ".html"))
    data, script = json.loads(page.scripts[0]), page.scripts[1]
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert set(re.findall(r'getElementById\("(\w+)"\)', script)) <= ids
    assert set(re.findall(r'querySelector(?:All)?\("#(\w+)', script)) <= ids
    assert set(re.findall(r'\bword\("(\w+)"\)', script)) <= data["words"]["en"].keys()


def test_every_text_of_the_page_has_both_languages(made: Made, drawn: Drawn) -> None:
    """What the reader can switch is there in English and Chinese."""
    said = [attributes for _, attributes in Page(drawn(made(), ".html")).elements if "data-en" in attributes]
    assert len(said) > 20
    assert all(attributes["data-zh"] for attributes in said)


def test_the_page_may_run_only_its_own_script(made: Made, drawn: Drawn) -> None:
    """The policy names the script and styles by their hashes and allows nothing else; no network is asked."""
    text = drawn(made(), ".html")
    page = Page(text)
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; ") and "unsafe" not in policy

    def digest(source: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"] == digest(page.scripts[1])
    assert set(rules["style-src"].split()) == {digest(style) for style in page.styles}
    assert not any(name in ("src", "href", "style") for _, a in page.elements for name in a)


@pytest.mark.parametrize(("lang", "reason"), [("en", "Layers are computed again."), ("zh", "重新计算各层。")])
def test_the_page_tells_what_one_change_saves(made: Made, drawn: Drawn, lang: str, reason: str) -> None:
    """Suggestions have a table if there are some: the change, what it saves, what it needs, and why."""
    told = Page(drawn(replace(made(), suggestions=(suggestion(),)), ".html", lang)).text
    start = told.index("gradient_checkpointing: true")
    assert told[start + 1 : start + 3] == ["1.00 GiB", "3.00 GiB"] and told[start + 4] == reason
    assert "gradient_checkpointing: true" not in Page(drawn(made(), ".html", lang)).text


def test_the_script_makes_no_markup() -> None:
    """The script only ever makes text nodes of what it reads."""
    script = (Path(write_timeline.__code__.co_filename).parent / "page.js").read_text(encoding="utf-8")
    for banned in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert banned not in script
    assert not re.search("</?script|<!--", script, re.IGNORECASE)
    assert "fetch(" not in script and "XMLHttpRequest" not in script and "import(" not in script


# -- strangers' names -------------------------------------------------------------------------------


def _active(page: Page) -> list[tuple[str, str]]:
    """Return every attribute that could run something."""
    return [
        (tag, name)
        for tag, a in page.elements
        for name in a
        if name.startswith("on") or name in ("src", "href")
    ]


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in JSON data, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in (*value.keys(), *value.values()):
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_names_are_inert(made: Made, drawn: Drawn, suffix: str, name: str) -> None:
    """No name adds an element, an attribute, a line break or a direction to a drawing."""
    harmless, drawing = drawn(hostile(made, "name"), suffix), drawn(hostile(made, name), suffix)
    page = Page(drawing)
    assert page.open == [] and _active(page) == []
    kinds, harmless_kinds = ({(tag, *a) for tag, a in p.elements} for p in (page, Page(harmless)))
    assert kinds <= harmless_kinds
    assert len(page.scripts) == (2 if suffix == ".html" else 0)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u2028-\u202e\u2066-\u2069]", drawing)
    if suffix == ".svg":
        ElementTree.fromstring(drawing)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_cannot_leave_the_data(made: Made, drawn: Drawn, name: str) -> None:
    """In a page the data stay one script; in a file they are ASCII, and the name comes back as it was."""
    inside = Page(drawn(hostile(made, name), ".html")).scripts[0]
    assert not set("<>&") & set(inside) and inside.isascii()
    assert json.loads(inside)["format"] == "tunesmith timeline"
    assert all(text.isprintable() and len(text) < 2500 for text in _texts(json.loads(inside)))
    text = drawn(hostile(made, name), ".json")
    assert text.isascii() and json.loads(text)["estimate"]["model"] == name
