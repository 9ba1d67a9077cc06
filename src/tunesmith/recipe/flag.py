"""Flags: what a command line, a page or a document must know of each key, generated from the types."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from types import ModuleType
from typing import Final

from tunesmith.recipe import recipe, sections
from tunesmith.recipe.chinese import CHINESE
from tunesmith.recipe.kinds import Boolean, Choice, Kind, Nullable
from tunesmith.recipe.read import LORA_DEFAULTS
from tunesmith.recipe.sections import MISSING

SHORT: Final = ("hardware", "training")
"""Sections whose keys are flags without the section's name too: --gpu, --learning_rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """One key of a recipe as a flag."""

    key: str
    """The dotted key, e.g. ``adapter.r``; also the name in ``changes`` of read_recipe."""
    names: tuple[str, ...]
    """The flag's spellings, upstream's first."""
    kind: Kind
    """What a value may be."""
    default: object
    """The canonical value when nothing is given; None also where a key must be given."""
    required: bool
    """True for a key without a default."""
    english: str
    """One line of help."""
    chinese: str
    """The same line in Chinese."""

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the names that can be chosen from; empty if the value is free."""
        kind = self.kind.kind if isinstance(self.kind, Nullable) else self.kind
        names = kind.names if isinstance(kind, Choice) else ()
        names = ("true", "false") if isinstance(kind, Boolean) else names
        return (*names, "null") if names and isinstance(self.kind, Nullable) else names

    @property
    def expected(self) -> str:
        """Return what a value must be, in words."""
        return self.kind.expected

    @property
    def alone(self) -> str | None:
        """Return the text that the flag without a value stands for; None if it needs one."""
        kind = self.kind.kind if isinstance(self.kind, Nullable) else self.kind
        return "true" if isinstance(kind, Boolean) else None

    def read(self, text: str) -> object:
        """Return the value that *text* stands for; what stands for nothing is left for Recipe to refuse."""
        return self.kind.from_text(text)


@cache
def flags() -> tuple[Flag, ...]:
    """Return a flag for every key, in the file's order; sections are flags of their dotted keys.

    >>> [flag.names for flag in flags() if flag.key in ("adapter.lora_alpha", "hardware.gpu")]
    [('--adapter.lora_alpha', '--adapter.lora-alpha'), ('--hardware.gpu', '--gpu')]
    """
    described = _docstrings(recipe) | _docstrings(sections)
    specs = {spec.name: spec.metadata for spec in fields(recipe.Recipe)}
    found: list[Flag] = []
    for key in recipe.KEYS:
        if "section" not in specs[key]:
            owner = "Step" if key in sections.Step.__dataclass_fields__ else "Recipe"
            found.append(
                _flag(key, specs[key]["kind"], specs[key]["default"], described.get((owner, key), ""))
            )
            continue
        cls = specs[key]["section"]
        for spec in fields(cls):
            default = LORA_DEFAULTS.get(spec.name) if key == "adapter" else None
            default = spec.metadata["default"] if default is None else default
            line = described.get((cls.__name__, spec.name), "")
            found.append(_flag(f"{key}.{spec.name}", spec.metadata["kind"], default, line))
    return tuple(found)


def _flag(key: str, kind: Kind, default: object, english: str) -> Flag:
    section, _, leaf = key.rpartition(".")
    spelled = [key, leaf] if section in SHORT else [key]
    names = dict.fromkeys(f"--{form}" for name in spelled for form in (name, name.replace("_", "-")))
    return Flag(
        key=key,
        names=tuple(names),
        kind=kind,
        default=None if default is MISSING else default,
        required=default is MISSING,
        english=english,
        chinese=CHINESE[key],
    )


def _docstrings(module: ModuleType) -> dict[tuple[str, str], str]:
    """Return the line under every field of every class in *module*, by class and field."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except OSError:  # installed without sources: flags work, help is silent
        return {}
    return {
        (cls.name, name): text
        for cls in tree.body
        if isinstance(cls, ast.ClassDef)
        for name, text in _lines(cls)
    }


def _lines(cls: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for before, after in zip(cls.body, cls.body[1:], strict=False):
        match before, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
