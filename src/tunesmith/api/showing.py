"""Answers as text for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.architecture import Architecture, load_architecture
from tunesmith.errors import ArchitectureError
from tunesmith.recipe import Recipe

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tunesmith.checks import Report
    from tunesmith.checks.cleaning import Cleaned
    from tunesmith.data.mixture import Mixture
    from tunesmith.memory.estimate import Estimate
    from tunesmith.search import Plans
    from tunesmith.trainers import Export, Imported


def show(
    estimate: Estimate, *, lang: str = "en", explain: bool = False, folklore: bool = False
) -> RenderableType:
    """Return *estimate* as text for a terminal, which rich prints, in ``en`` or ``zh``.

    With *explain* every part is derived in words and numbers; with *folklore* the formulas that people use
    stand beside the answer.
    """
    from rich.console import Group

    from tunesmith.report.explain import explanation
    from tunesmith.report.folklore import beside
    from tunesmith.report.terminal import answer

    blocks: list[RenderableType] = [answer(estimate, lang=lang)]
    if explain:
        blocks += ["", explanation(estimate, lang=lang)]
    if folklore:
        blocks += ["", beside(estimate, _known_architecture(estimate.recipe), lang=lang)]
    return Group(*blocks)


def show_suggestions(answer: Estimate, *, lang: str = "en") -> RenderableType:
    """Return the suggestions of *answer* as text for a terminal; nothing where there are none."""
    from tunesmith.report.terminal import changes

    return changes(answer, lang=lang)


def show_plans(plans: Plans, *, lang: str = "en", epochs: float = 1.0) -> RenderableType:
    """Return *plans* as text for a terminal, with hours and cost of *epochs* passes over the data."""
    from tunesmith.report.plans.terminal import answer

    return answer(plans, lang=lang, passes=epochs)


def show_findings(report: Report, *, lang: str = "en") -> RenderableType:
    """Return what the checks of a data file found, as text for a terminal."""
    from tunesmith.report.findings import answer

    return answer(report, lang=lang)


def show_cleaned(cleaned: Cleaned, *, lang: str = "en") -> RenderableType:
    """Return what cleaning did to a data file, as text for a terminal."""
    from tunesmith.report.cleaning import answer

    return answer(cleaned, lang=lang)


def show_mixture(mixture: Mixture, *, lang: str = "en") -> RenderableType:
    """Return what stands in a mixture, as text for a terminal."""
    from tunesmith.report.mixing import answer

    return answer(mixture, lang=lang)


def show_import(imported: Imported, *, lang: str = "en") -> RenderableType:
    """Return where each choice of an imported recipe comes from, as text for a terminal."""
    from tunesmith.report.imported import provenance

    return provenance(imported, lang=lang)


def show_export(export: Export, folder: str | Path, *, lang: str = "en") -> RenderableType:
    """Return what was written for another trainer as text for a terminal."""
    from tunesmith.report.plans.exported import exported

    return exported(export, Path(folder), lang=lang)


def _known_architecture(recipe: Recipe) -> Architecture | None:
    """Return the model's dimensions where they are at hand, without a download."""
    try:
        return load_architecture(recipe.model, download=False)
    except ArchitectureError:
        return None
