"""Recipe: every choice of one run, validated when it is made."""

# ruff: noqa: RUF009 -- choice() and section() return dataclasses.field(), which the rule cannot see

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tunesmith.recipe import names
from tunesmith.recipe.checks import ADAPTED
from tunesmith.recipe.kinds import Choice, Model, Problem, show
from tunesmith.recipe.read import refuse, settle
from tunesmith.recipe.sections import (
    Adapter,
    Freeze,
    Hardware,
    Offload,
    Precision,
    Quantization,
    Step,
    Training,
    choice,
    plain,
    section,
    thawed,
)
from tunesmith.recipe.text import Document, read_document, write_yaml

KEYS = (
    "model",
    "method",
    "adapter",
    "quantization",
    "freeze",
    "precision",
    *(spec.name for spec in fields(Step)),
    "trainer",
    "hardware",
    "sharding",
    "offload",
    "training",
)
"""The keys of a recipe file, in the order in which files are written."""


@dataclass(frozen=True, kw_only=True)
class Recipe(Step):
    """Every choice of one run; the fields inherited from Step are those of one optimizer step.

    >>> recipe = Recipe(model="meta-llama/Meta-Llama-3-8B")
    >>> recipe.replace(optim="adamw_8bit", **{"adapter.r": 8}).adapter.r
    8
    """

    model: str | Mapping[str, Any] = choice(Model())
    """A Hub id, a folder, a config.json, a catalogue name, or a config.json given inline."""
    method: str = choice(Choice(names.METHODS), "lora")
    """Which weights learn: all, some, or an adapter beside frozen or quantised ones."""
    adapter: Adapter | None = section(Adapter, None)
    """The adapter of lora and qlora."""
    quantization: Quantization | None = section(Quantization, None)
    """The storage of frozen weights under qlora."""
    freeze: Freeze | None = section(Freeze, None)
    """What learns under freeze."""
    precision: Precision = section(Precision, Precision())
    """Types of weights and operations."""
    trainer: str = choice(Choice(names.TRAINERS), "sft")
    """trl.SFTTrainer, transformers.Trainer, or a plain PyTorch loop."""
    hardware: Hardware = section(Hardware, Hardware())
    """The cards."""
    sharding: str = choice(Choice(names.SHARDINGS), "none")
    """How cards share parameters, gradients and optimizer states."""
    offload: Offload = section(Offload, Offload())
    """What rests outside the cards."""
    training: Training | None = section(Training, None)
    """Learning rate, epochs, seed and checkpoints; null: not said."""
    reasons: tuple[str, ...] = field(default=(), init=False, compare=False, repr=False)
    """Why each section that was not given is as it is; no key of the file."""

    def __post_init__(self) -> None:
        given = {key: _as_given(getattr(self, key)) for key in KEYS}
        values, problems, reasons = settle(Recipe, given)
        if problems:
            raise refuse(problems)
        for key, value in values.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "reasons", tuple(reasons))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Recipe:
        """Return the recipe that *mapping* describes, or raise RecipeError with every problem in it."""
        return _build(Document(mapping, {}), "recipe")

    def to_mapping(self) -> dict[str, Any]:
        """Return plain JSON types under the file's keys; from_mapping makes the same recipe of them."""
        out: dict[str, Any] = {}
        for key in KEYS:
            value = getattr(self, key)
            out[key] = plain(value) if hasattr(value, "__dataclass_fields__") else thawed(value)
        return out

    def to_yaml(self) -> str:
        """Return the recipe as a YAML file, which read_recipe makes the same recipe of."""
        return write_yaml(self.to_mapping())

    def replace(self, **changes: Any) -> Recipe:
        """Return a new recipe with dotted *changes*, e.g. ``replace(optim="sgd", **{"adapter.r": 8})``.

        A new method drops the sections it has no use for, unless they are among the changes.
        """
        mapping = self.to_mapping()
        method = changes.get("method", self.method)
        if method != self.method:
            kept = {
                "adapter": method in ADAPTED,
                "quantization": method == "qlora",
                "freeze": method == "freeze",
            }
            mapping |= {name: None for name, keep in kept.items() if not keep}
        return Recipe.from_mapping(with_changes(mapping, changes))


def with_changes(mapping: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of *mapping* in which each dotted key of *changes* is set; nothing is validated."""
    out = dict(mapping)
    for key, value in changes.items():
        name, _, rest = key.partition(".")
        if not rest:
            out[name] = _as_given(value)
            continue
        inner = _as_given(out.get(name))
        out[name] = with_changes(inner if isinstance(inner, Mapping) else {}, {rest: value})
    return out


def parse_recipe(text: str, *, source: str = "recipe") -> Recipe:
    """Return the recipe that a YAML or JSON *text* describes; errors name *source* and lines."""
    return _build(read_document(text, source), source)


def _build(document: Document, source: str) -> Recipe:
    mapping = document.mapping
    if not isinstance(mapping, Mapping):
        problem = Problem("recipe", show(mapping), "a mapping of keys to values", "Start with model: NAME.")
        raise refuse([problem], document.lines, source)
    values, problems, reasons = settle(Recipe, {key: _as_given(value) for key, value in mapping.items()})
    if problems:
        raise refuse(problems, document.lines, source)
    recipe = Recipe(**values)
    object.__setattr__(recipe, "reasons", tuple(reasons))
    return recipe


def _as_given(value: Any) -> Any:
    """Return a section as a mapping, so that types and mappings are read by the same code."""
    return plain(value) if hasattr(value, "__dataclass_fields__") and not isinstance(value, type) else value
