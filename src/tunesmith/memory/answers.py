"""The place of one question among the answers kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tunesmith.architecture import Architecture
from tunesmith.hardware import Gpu
from tunesmith.memory import cache
from tunesmith.memory.estimate import Estimate
from tunesmith.memory.keeping import packed_estimate, packed_timeline, unpacked_estimate, unpacked_timeline
from tunesmith.memory.ledger import Ledger
from tunesmith.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Question:
    """All that an answer depends on, beside the code that gives it."""

    architecture: Architecture
    """The model."""
    recipe: Recipe
    """The run."""
    gpu: Gpu | None
    """The card that is asked whether it fits."""
    kernels: Gpu
    """The card whose kernels are run."""
    engine: str
    """What answers: ``trace`` or ``ledger``."""

    @property
    def name(self) -> str:
        """Return the name under which the answer is kept."""
        return cache.key(
            config=self.architecture.config_json,
            model=self.architecture.name,
            recipe=self.recipe.to_mapping(),
            gpu=None if self.gpu is None else self.gpu.name,
            kernels=self.kernels.name,
            engine=self.engine,
        )


def kept_answer(question: Question, *, timeline: bool, suggested: bool) -> Estimate | None:
    """Return the answer to *question* that is kept on disk, or None.

    With *timeline* it must bring its timeline, with *suggested* its suggestions must have been computed.
    """
    name = question.name
    kept = cache.read(name)
    if kept is None or (suggested and kept.get("suggested") is not True):
        return None
    estimate = kept.get("estimate")
    if not isinstance(estimate, dict):
        return None
    answer = unpacked_estimate(estimate, recipe=question.recipe, gpu=question.gpu)
    if answer is None or not timeline:
        return answer
    columns = cache.read(_timeline_of(name))
    events = None if columns is None else unpacked_timeline(columns)
    return None if events is None else replace(answer, timeline=events)


def keep_answer(question: Question, answer: Estimate, *, suggested: bool) -> None:
    """Keep *answer* for the next time *question* is asked; a disk that refuses is no error."""
    name = question.name
    if answer.timeline is not None:
        cache.write(_timeline_of(name), packed_timeline(answer.timeline))
    cache.write(name, {"estimate": packed_estimate(answer), "suggested": suggested})


def kept_ledger(question: Question) -> Ledger | None:
    """Return the ledger that is kept on disk for the class of runs around *question*, or None."""
    kept = cache.read(_ledger_of(question))
    if kept is None:
        return None
    try:
        return Ledger.from_mapping(kept)
    except ValueError:
        return None


def keep_ledger(question: Question, ledger: Ledger) -> None:
    """Keep *ledger* for the class of runs around *question*."""
    cache.write(_ledger_of(question), ledger.to_mapping())


def _ledger_of(question: Question) -> str:
    return cache.key(ledger_of=question.name)


def _timeline_of(name: str) -> str:
    return cache.key(timeline_of=name)
