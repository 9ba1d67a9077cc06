"""The page in a browser: what its buttons do, each clicked with the mouse."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.recipe import parse_recipe
from tunesmith.report.plans.page import plans_page
from tunesmith.search import Plans

Planned = Callable[..., Plans]
SPOKEN = "[...document.querySelectorAll('[data-en]')].map(e => [e.textContent, e.dataset.en, e.dataset.zh])"
COPIED = """new Promise(told => {
  const button = document.querySelector("[data-copy='%s']");
  const look = () => button.classList.contains("done") ? told() : setTimeout(look, 10);
  look();
})"""
SELECTED = """new Promise(told => {
  const look = () => getSelection().toString() ? told(getSelection().toString()) : setTimeout(look, 10);
  look();
})"""
PRESSED = "[...document.querySelectorAll('[data-lang][aria-pressed=true]')].map(e => e.dataset.lang)"


@pytest.fixture
def page(chrome: Any, planned: Planned, tmp_path: Path) -> Any:
    """The page of three plans, in English, open in a browser."""
    place = tmp_path / "plan.html"
    place.write_text(plans_page(planned()), encoding="utf-8")
    chrome.complaints.clear()
    chrome.call("Browser.resetPermissions")
    chrome.open(place)
    return chrome


def test_a_click_changes_every_text_of_the_page(page: Any) -> None:
    """中文 makes every text Chinese and says so to screen readers; English makes all of it English again."""
    for lang, tag in (("zh", "zh-Hans"), ("en", "en")):
        page.click(f"[data-lang={lang}]")
        assert page.value("document.documentElement.lang") == tag
        spoken = page.value(SPOKEN)
        assert len(spoken) > 60
        for shown, english, chinese in spoken:
            assert shown == (english if lang == "en" else chinese)
        assert page.value(PRESSED) == [lang]
    assert page.complaints == []


def test_a_click_copies_the_recipe_of_its_plan(page: Any, planned: Planned) -> None:
    """Plans fold out, and each button puts its own plan's recipe on the clipboard, as it reads back."""
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    page.call("Browser.grantPermissions", permissions=permissions)
    while page.value("document.querySelector('details:not([open])') !== null"):
        page.click("details:not([open]) summary")
    for number, plan in enumerate(planned().plans):
        button = page.value(f"document.querySelectorAll('[data-copy]')[{number}].dataset.copy")
        page.click(f"[data-copy='{button}']")
        page.value(COPIED % button)
        assert parse_recipe(page.value("navigator.clipboard.readText()")) == plan.recipe
    assert page.complaints == []


def test_where_pages_may_not_copy_the_recipe_is_selected(page: Any, planned: Planned) -> None:
    """With the clipboard closed, a click selects the recipe, so that the keyboard can copy it."""
    denied = {"permission": {"name": "clipboard-write"}, "setting": "denied"}
    page.call("Browser.setPermission", **denied)
    page.click("[data-copy]")
    selected = page.value(SELECTED)
    assert parse_recipe(selected) == planned().plans[0].recipe


def test_the_page_runs_no_script_but_its_own(page: Any) -> None:
    """A script that is put into the page afterwards is refused by the page's own policy."""
    page.value(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.foreign = 1';"
        " document.body.append(s); })()"
    )
    assert page.value("typeof window.foreign") == "undefined"
    assert any(re.search("Content Security Policy|script-src", each) for each in page.complaints)
