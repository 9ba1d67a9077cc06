"""The page of a run: the picture, made to answer to the mouse, and the tables beside it, in one file.

It reads without script: the picture and all tables are in the markup. The script (page.js) redraws the
picture from the data, and refills the tables for the instant that is pointed at. The page asks no network:
its policy forbids everything except the one script and the styles that it names by their hashes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from tunesmith.memory.estimate import Estimate
from tunesmith.memory.timeline import CATEGORIES
from tunesmith.report.chart import picture_style, timeline_svg
from tunesmith.report.columns import Course
from tunesmith.report.drawing import drawing
from tunesmith.report.headline import run_line, verdict
from tunesmith.report.markup import Markup, joined, script_json, tag
from tunesmith.report.palette import COLORS, DARK, LIGHT
from tunesmith.report.peak import alive_at_peak
from tunesmith.report.words import LANGUAGES, category_name, inert, phase_name, tell
from tunesmith.units import readable

_GROUPS: Final = 14
"""Rows of the table of what is alive."""
_MERGED: Final = ("fwd_bwd_clip", "substep")
"""Phases that repeat what finer ones tell."""

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "at_peak": ("At the peak", "峰值时刻"),
    "at_instant": ("At this instant", "此刻"),
    "allocated": ("allocated", "已分配"),
    "reserved": ("reserved", "预留"),
    "smaller": ("smaller ones", "更小的"),
    "above": ("far above", "远在上方"),
    "context": ("CUDA context", "CUDA 上下文"),
    "peak": ("peak", "峰值"),
    "event": ("event", "事件"),
    "whole": ("whole run", "整个过程"),
    "setup": ("setup", "准备"),
    "after": ("after", "之后"),
    "step": ("step", "步"),
    "hint": (
        "Point at an instant; click to hold it. Click a phase below to zoom, a category to hide it.",
        "指向某一时刻查看；单击固定。单击图下的阶段放大，单击类别隐藏。",
    ),
    "parts": ("Parts", "组成"),
    "alive": ("What is alive", "存活的张量"),
    "category": ("category", "类别"),
    "bytes": ("bytes", "字节"),
    "size": ("size", "大小"),
    "share": ("share", "占比"),
    "module": ("module", "模块"),
    "operation": ("operation", "操作"),
    "count": ("storages", "个数"),
    "phases": ("Phases", "阶段"),
    "phase": ("phase", "阶段"),
    "phase_peak": ("allocated, at most", "已分配（最高）"),
    "phase_end": ("allocated, at its end", "已分配（结束时）"),
    "assumptions": ("Assumptions", "假设"),
    "versions": ("Versions", "版本"),
    "recipe": ("Recipe", "配方"),
    "process": ("process", "进程"),
    "axis": (
        "Left to right: allocations and releases in order; a phase is as wide as the square root of "
        "their number, and not shown without any.",
        "从左到右：依次分配与释放；阶段的宽度为其次数的平方根，没有则不画。",
    ),
}


def timeline_page(estimate: Estimate, course: Course, *, lang: str = "en") -> Markup:
    """Return the whole page, in *lang* until the reader changes it."""
    assert lang in LANGUAGES
    style = f"{_variables()}{_resource('page.css')}"
    script = _resource("page.js")
    data = _inert(drawing(estimate, course)) | {"words": _words(estimate), "lang": lang}
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script, style, picture_style())),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{inert(estimate.model)} · tunesmith"),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("main", _header(estimate, lang), *_figure(estimate, course, lang), *_sections(estimate, lang)),
        tag("script", script_json(data), type="application/json", id="data"),
        tag("script", Markup(script)),
    )
    return joined((Markup("<!DOCTYPE html>\n"), tag("html", head, body, lang=_html_lang(lang))))


def _policy(script: str, *styles: str) -> str:
    """Return a policy under which only these texts run and style: what slipped into the markup could not."""
    allowed = " ".join(_hash(style) for style in styles)
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _html_lang(lang: str) -> str:
    return "zh-Hans" if lang == "zh" else lang


def _resource(name: str) -> str:
    return files("tunesmith.report").joinpath(name).read_text(encoding="utf-8")


def _variables() -> str:
    """Return the palettes as variables of the page's style; paper always gets the light one."""
    light, dark = (
        ":root{" + "".join(f"--{name}:{color};" for name, color in palette.items()) + "}"
        for palette in (LIGHT, DARK)
    )
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"


def _inert(value: Any) -> Any:
    """Return JSON data with every text in it inert."""
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, Mapping):
        return {inert(key): _inert(item) for key, item in value.items()}
    if isinstance(value, list) and not all(isinstance(item, int) for item in value):
        return [_inert(item) for item in value]
    return value


def _words(estimate: Estimate) -> dict[str, dict[str, str]]:
    """Return the words that the script writes, by language."""
    names = {phase.name for phase in estimate.phases}
    words: dict[str, dict[str, str]] = {}
    for index, lang in enumerate(LANGUAGES):
        words[lang] = {key: text[index] for key, text in _WORDS.items()}
        words[lang] |= {f"category {category}": category_name(category, lang) for category in CATEGORIES}
        words[lang] |= {f"phase {inert(name)}": inert(phase_name(name, lang)) for name in sorted(names)}
    return words


def _said(name: str, english: str, chinese: str, lang: str, **attributes: str) -> Markup:
    """Return an element whose text the script can change from one language to the other."""
    return tag(name, tell(lang)(english, chinese), data_en=english, data_zh=chinese, **attributes)


def _word(name: str, key: str, lang: str, **attributes: str) -> Markup:
    return _said(name, *_WORDS[key], lang, **attributes)


def _header(estimate: Estimate, lang: str) -> Markup:
    tone = {True: "calm", False: "alarm", None: "soft"}[estimate.fits]
    en, zh = (tell(language) for language in LANGUAGES)
    return tag(
        "header",
        tag("div", tag("h1", tag("bdi", inert(estimate.model)))),
        tag(
            "div",
            tag("button", "EN", type="button", data_lang="en"),
            tag("button", "中文", type="button", data_lang="zh"),
            class_="langs",
            hidden="hidden",
        ),
        _said("p", run_line(estimate, en), run_line(estimate, zh), lang, class_="soft"),
        _said("p", verdict(estimate, en), verdict(estimate, zh), lang, class_=f"verdict {tone}"),
    )


def _figure(estimate: Estimate, course: Course, lang: str) -> Iterator[Markup]:
    yield tag("div", class_="chips", id="chips")
    yield tag(
        "figure",
        tag("div", timeline_svg(estimate, course, lang=lang), id="chart"),
        tag("div", id="tip", hidden="hidden"),
        tag("button", id="whole", type="button", hidden="hidden"),
        _word("figcaption", "axis", lang, class_="soft"),
    )
    yield _word("p", "hint", lang, class_="soft hint", id="hint", hidden="hidden")


def _sections(estimate: Estimate, lang: str) -> Iterator[Markup]:
    instant = " · ".join(
        inert(text)
        for text in (estimate.peak_at.phase, estimate.peak_at.module, estimate.peak_at.operation)
        if text
    )
    yield tag(
        "h2", _word("span", "at_peak", lang, id="when"), " ", tag("bdi", instant, id="where", class_="soft")
    )
    yield tag(
        "div",
        tag("section", _word("h3", "parts", lang), _parts(estimate, lang)),
        tag("section", _word("h3", "alive", lang), _alive(estimate, lang)),
        class_="pair",
    )
    yield tag("section", _word("h2", "phases", lang), _phases(estimate, lang))
    told = [tag("li", inert(sentence, 2000)) for sentence in estimate.assumptions]
    yield tag("section", _word("h2", "assumptions", lang), tag("ul", *told))
    versions = ", ".join(f"{inert(name)} {inert(version)}" for name, version in estimate.versions.items())
    yield tag("section", _word("h2", "versions", lang), tag("p", versions))
    recipe = json.dumps(estimate.recipe.to_mapping(), indent=2)
    yield tag("details", _word("summary", "recipe", lang), tag("pre", recipe))


def _table(head: Sequence[Markup], rows: Sequence[Markup], *more: Markup, **attributes: str) -> Markup:
    table = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), *more, **attributes)
    return tag("div", table, class_="wide")


def _parts(estimate: Estimate, lang: str) -> Markup:
    total = estimate.peak.allocated_bytes
    rows = []
    for category in reversed(CATEGORIES):
        count = estimate.parts.get(category)
        if not count:
            continue
        color = tag("svg", tag("rect", width=12, height=12, rx=2, fill=COLORS[category]), width=12, height=12)
        en, zh = (category_name(category, language) for language in LANGUAGES)
        rows.append(
            tag(
                "tr",
                tag("td", color, " ", _said("span", en, zh, lang)),
                tag("td", f"{count:,}", class_="figure soft"),
                tag("td", readable(count), class_="figure"),
                tag("td", f"{count / total:.1%}", class_="figure"),
            )
        )
    head = [
        _word("th", "category", lang),
        *(_word("th", key, lang, class_="figure") for key in ("bytes", "size", "share")),
    ]
    sums = []
    for key, count in (
        ("allocated", total),
        ("reserved", estimate.peak.reserved_bytes),
        ("process", estimate.peak.process_bytes),
    ):
        cells = (tag("td", f"{count:,}", class_="figure soft"), tag("td", readable(count), class_="figure"))
        sums.append(tag("tr", _word("td", key, lang), *cells, tag("td"), class_=key))
    return _table(head, rows, tag("tfoot", *sums), id="parts")


def _alive(estimate: Estimate, lang: str) -> Markup:
    groups = alive_at_peak(estimate)
    rows = []
    for group in groups[:_GROUPS]:
        en, zh = (category_name(group.category, language) for language in LANGUAGES)
        rows.append(
            tag(
                "tr",
                _said("td", en, zh, lang),
                tag("td", tag("bdi", inert(group.module))),
                tag("td", tag("bdi", inert(group.operation))),
                tag("td", f"{len(group.sizes):,}", class_="figure"),
                tag("td", readable(group.block_bytes), class_="figure"),
            )
        )
    rest = groups[_GROUPS:]
    if rest:
        count, size = sum(len(group.sizes) for group in rest), sum(group.block_bytes for group in rest)
        cells = (tag("td", f"{count:,}", class_="figure"), tag("td", readable(size), class_="figure"))
        rows.append(tag("tr", _word("td", "smaller", lang), tag("td"), tag("td"), *cells))
    head = [_word("th", key, lang) for key in ("category", "module", "operation")]
    head += [_word("th", key, lang, class_="figure") for key in ("count", "size")]
    return _table(head, rows, id="alive")


def _phases(estimate: Estimate, lang: str) -> Markup:
    rows = []
    for phase in estimate.phases:
        if phase.name.rpartition(".")[2] in _MERGED:
            continue
        en, zh = (inert(phase_name(phase.name, language)) for language in LANGUAGES)
        counts = (phase.allocated_peak_bytes, phase.allocated_end_bytes, phase.reserved_bytes)
        figures = [tag("td", readable(count), class_="figure", title=f"{count:,}") for count in counts]
        rows.append(tag("tr", _said("td", en, zh, lang), *figures, data_phase=inert(phase.name)))
    head = [
        _word("th", "phase", lang),
        *(_word("th", key, lang, class_="figure") for key in ("phase_peak", "phase_end", "reserved")),
    ]
    return _table(head, rows, id="phases")
