"""The text of each file that a search can be written to."""

from __future__ import annotations

from tunesmith.report.plans.chart import plans_svg
from tunesmith.report.plans.page import plans_page
from tunesmith.report.plans.recipe_file import recipe_text
from tunesmith.search import Plans


def plans_text(plans: Plans, suffix: str, *, lang: str, passes: float) -> str:
    """Return what a file of *suffix* holds: the first recipe, a page, or the page's picture."""
    if suffix == ".html":
        return plans_page(plans, lang=lang, passes=passes) + "\n"
    if suffix == ".svg":
        return plans_svg(plans, lang=lang) + "\n"
    return recipe_text(plans, plans.plans[0], lang=lang, passes=passes)
