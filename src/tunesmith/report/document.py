"""A page in one file: it asks no network, and runs only the script and the styles that it names by hash."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from tunesmith.report.markup import Markup, joined, script_json, tag
from tunesmith.report.palette import DARK, LIGHT
from tunesmith.report.words import inert


def document(
    title: str,
    main: Markup,
    *,
    script: str,
    data: Mapping[str, Any],
    lang: str,
    pictures: Sequence[str] = (),
    style: str = "",
) -> Markup:
    """Return a whole page around *main*; its script, a file beside this one, reads *data*.

    *pictures* are the styles inside *main*; *style* is added to that of every page.
    """
    code, looks = resource(script), f"{_variables()}{resource('page.css')}{style}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(code, looks, *pictures)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{inert(title)} · tunesmith"),
        tag("style", Markup(looks)),
    )
    body = tag(
        "body",
        tag("main", main),
        tag("script", script_json(data), type="application/json", id="data"),
        tag("script", Markup(code)),
    )
    return joined((Markup("<!DOCTYPE html>\n"), tag("html", head, body, lang=_html_lang(lang))))


def languages() -> Markup:
    """Return the buttons that choose the language; they are there for those who run the script."""
    return tag(
        "div",
        tag("button", "EN", type="button", data_lang="en"),
        tag("button", "中文", type="button", data_lang="zh"),
        class_="langs",
        hidden="hidden",
    )


def resource(name: str) -> str:
    """Return the text of the file *name* beside this one."""
    return files("tunesmith.report").joinpath(name).read_text(encoding="utf-8")


def _policy(script: str, *styles: str) -> str:
    """Return a policy under which only these texts run and style: what slipped into the markup could not."""
    allowed = " ".join(dict.fromkeys(_hash(style) for style in styles))
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _html_lang(lang: str) -> str:
    return "zh-Hans" if lang == "zh" else lang


def _variables() -> str:
    """Return the palettes as variables of the page's style; paper always gets the light one."""
    light, dark = (
        ":root{" + "".join(f"--{name}:{color};" for name, color in palette.items()) + "}"
        for palette in (LIGHT, DARK)
    )
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"
