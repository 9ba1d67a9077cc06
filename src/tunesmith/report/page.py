"""The page of a run: the picture, made to answer to the mouse, and the tables beside it, in one file.

It reads without script: the picture and all tables are in the markup. The script (page.js) redraws the
picture from the data, and refills the tables for the instant that is pointed at. The page asks no network:
its policy forbids everything except the one script and the styles that it names by their hashes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from tunesmith.memory.estimate import Estimate
from tunesmith.memory.timeline import CATEGORIES
from tunesmith.report.assumptions import sentence
from tunesmith.report.bilingual import WORDS, said, word
from tunesmith.report.chart import picture_style, timeline_svg
from tunesmith.report.columns import Course
from tunesmith.report.drawing import drawing
from tunesmith.report.headline import run_line, verdict
from tunesmith.report.markup import Markup, joined, script_json, tag
from tunesmith.report.palette import DARK, LIGHT
from tunesmith.report.tables import alive_table, parts_table, phases_table, suggestions_table
from tunesmith.report.words import LANGUAGES, category_name, inert, phase_name, tell


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
        words[lang] = {key: text[index] for key, text in WORDS.items()}
        words[lang] |= {f"category {category}": category_name(category, lang) for category in CATEGORIES}
        words[lang] |= {f"phase {inert(name)}": inert(phase_name(name, lang)) for name in sorted(names)}
    return words


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
        said("p", run_line(estimate, en), run_line(estimate, zh), lang, class_="soft"),
        said("p", verdict(estimate, en), verdict(estimate, zh), lang, class_=f"verdict {tone}"),
    )


def _figure(estimate: Estimate, course: Course, lang: str) -> Iterator[Markup]:
    yield tag("div", class_="chips", id="chips")
    yield tag(
        "figure",
        tag("div", timeline_svg(estimate, course, lang=lang), id="chart"),
        tag("div", id="tip", hidden="hidden"),
        tag("button", id="whole", type="button", hidden="hidden"),
        word("figcaption", "axis", lang, class_="soft"),
    )
    yield word("p", "hint", lang, class_="soft hint", id="hint", hidden="hidden")


def _sections(estimate: Estimate, lang: str) -> Iterator[Markup]:
    instant = " · ".join(
        inert(text)
        for text in (estimate.peak_at.phase, estimate.peak_at.module, estimate.peak_at.operation)
        if text
    )
    yield tag(
        "h2", word("span", "at_peak", lang, id="when"), " ", tag("bdi", instant, id="where", class_="soft")
    )
    yield tag(
        "div",
        tag("section", word("h3", "parts", lang), parts_table(estimate, lang)),
        tag("section", word("h3", "alive", lang), alive_table(estimate, lang)),
        class_="pair",
    )
    yield tag("section", word("h2", "phases", lang), phases_table(estimate, lang))
    if estimate.suggestions:
        yield tag("section", word("h2", "suggestions", lang), suggestions_table(estimate, lang))
    told = []
    for assumption in estimate.assumptions:
        en, zh = (inert(sentence(assumption, language), 2000) for language in LANGUAGES)
        told.append(said("li", en, zh, lang))
    yield tag("section", word("h2", "assumptions", lang), tag("ul", *told))
    versions = ", ".join(f"{inert(name)} {inert(version)}" for name, version in estimate.versions.items())
    yield tag("section", word("h2", "versions", lang), tag("p", versions))
    recipe = json.dumps(estimate.recipe.to_mapping(), indent=2)
    yield tag("details", word("summary", "recipe", lang), tag("pre", recipe))
