"""Answers as files, each whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tunesmith.api.exporting import export_recipe
from tunesmith.errors import DataError, UnsupportedError

if TYPE_CHECKING:
    from tunesmith.checks import Report
    from tunesmith.memory.estimate import Estimate
    from tunesmith.search import Plans
    from tunesmith.trainers import Export


TIMELINES: Final = (".html", ".svg", ".json")
"""Suffixes of a drawing of the timeline."""


SNAPSHOTS: Final = (".pickle", ".pkl")
"""Suffixes of PyTorch's memory snapshot."""


_SUFFIXES: Final = {
    "timeline": TIMELINES,
    "snapshot": SNAPSHOTS,
    "recipe": (".yaml", ".yml"),
    "report": (".html", ".svg"),
    "page": (".html",),
}
"""Suffixes of each kind of file that can be written."""

_MEASURED: Final = 20_000
"""Examples that are tokenized for a page's histogram."""


def check_output(
    path: str | Path, *, kind: Literal["timeline", "snapshot", "recipe", "report", "page"]
) -> Path:
    """Return the place of a *kind* of file that can be written there; call it before long work.

    Raises OutputError for a suffix that is not one of the kind's, a folder, or where nothing may be written.
    """
    from tunesmith.outputs import checked_output

    return checked_output(path, suffixes=_SUFFIXES[kind])


def check_folder(path: str | Path) -> Path:
    """Return the folder at *path* if files can be written there; call it before long work."""
    from tunesmith.outputs import checked_folder

    return checked_folder(path)


def write(estimate: Estimate, path: str | Path, *, lang: str = "en") -> Path:
    """Write *estimate* to *path*, whole or not at all, and return the place.

    The suffix decides: a drawing of memory over the step as .html or .svg, its data as .json, or PyTorch's
    memory snapshot as .pickle, which ``python -m torch.cuda._memory_viz`` draws.
    """
    from tunesmith.outputs import checked_output, write_whole

    place, timeline = checked_output(path, suffixes=(*TIMELINES, *SNAPSHOTS)), estimate.timeline
    if timeline is None:
        raise UnsupportedError("this estimate has no timeline: it was evaluated, not traced. Trace it again.")
    if place.suffix.lower() in TIMELINES:
        from tunesmith.report.timeline import write_timeline

        write_whole(place, lambda draft: write_timeline(estimate, draft, lang=lang))
        return place
    from tunesmith.memory.allocator import AllocatorSettings
    from tunesmith.memory.snapshot import write_snapshot

    settings = AllocatorSettings.parse(estimate.recipe.hardware.alloc_conf or "")
    write_whole(place, lambda draft: write_snapshot(timeline, draft, settings=settings))
    return place


def write_plans(plans: Plans, path: str | Path, *, lang: str = "en", epochs: float = 1.0) -> Path:
    """Write *plans* to *path*, whole or not at all, and return the place.

    The suffix decides: the recipe of the first plan as .yaml, all plans on a page as .html, or their memory
    against their speed as .svg.
    """
    from tunesmith.outputs import checked_output, write_text
    from tunesmith.report.plans.files import plans_text

    place = checked_output(path, suffixes=(*_SUFFIXES["recipe"], *_SUFFIXES["report"]))
    text = plans_text(plans, place.suffix.lower(), lang=lang, passes=epochs)
    write_text(place, text)
    return place


def write_findings(
    report: Report,
    path: str | Path,
    *,
    model: str | Path | None = None,
    sequence_length: int = 2048,
    lang: str = "en",
) -> Path:
    """Write *report* as a page to *path*, an .html file, whole or not at all, and return the place.

    With *model* it shows how long the examples are for its tokenizer, unless a row cannot be read.
    """
    from tunesmith.data.measuring import measure
    from tunesmith.outputs import checked_output, write_text
    from tunesmith.report.findings.page import findings_page

    place, lengths = checked_output(path, suffixes=_SUFFIXES["page"]), None
    if model is not None:
        with suppress(DataError):
            lengths = measure(report.path, model, sequence_length=sequence_length, sample=_MEASURED)
    text = findings_page(report, lengths=lengths, lang=lang) + "\n"
    write_text(place, text)
    return place


def export_plan(
    plans: Plans, trainer: str, folder: str | Path, *, data: str | None = None, epochs: float = 1.0
) -> Export:
    """Write the first of *plans* as the files of *trainer* into *folder*, and return them.

    Raises UnsupportedError where that trainer cannot run it, and OutputError where nothing may be written.
    """
    from tunesmith.outputs import checked_folder, write_folder
    from tunesmith.report.plans.recipe_file import trained

    place = checked_folder(folder)
    export = export_recipe(trained(plans.plans[0].recipe, epochs), trainer, data=data)
    write_folder(place, {file.name: file.text for file in export.files})
    return export
