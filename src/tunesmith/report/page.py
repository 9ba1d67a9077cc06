"""The page of a run: the picture, made to answer to the mouse, and the tables beside it, in one file.

It reads without script: the picture and all tables are in the markup. The script (page.js) redraws the
picture from the data, and refills the tables for the instant that is pointed at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tunesmith.memory.estimate import Estimate
from tunesmith.memory.timeline import CATEGORIES
from tunesmith.report.assumptions import sentence
from tunesmith.report.bilingual import WORDS, said, word
from tunesmith.report.chart import picture_style, timeline_svg
from tunesmith.report.columns import Course
from tunesmith.report.document import document, languages
from tunesmith.report.drawing import drawing
from tunesmith.report.headline import run_line, verdict
from tunesmith.report.markup import Markup, joined, tag
from tunesmith.report.tables import alive_table, parts_table, phases_table, suggestions_table
from tunesmith.report.words import LANGUAGES, category_name, inert, phase_name, tell


def timeline_page(estimate: Estimate, course: Course, *, lang: str = "en") -> Markup:
    """Return the whole page, in *lang* until the reader changes it."""
    assert lang in LANGUAGES
    return document(
        estimate.model,
        joined((_header(estimate, lang), *_figure(estimate, course, lang), *_sections(estimate, lang))),
        script="page.js",
        data=_inert(drawing(estimate, course)) | {"words": _words(estimate), "lang": lang},
        lang=lang,
        pictures=(picture_style(),),
    )


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
        languages(),
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
