"""What an export and an import give back: files, the command, and where every choice comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from tunesmith.recipe import Recipe

TRAINERS: Final = ("trl", "accelerate", "deepspeed", "llamafactory", "axolotl", "torchtune", "swift")
"""The trainers that recipes are written for and read from."""

TITLES: Final[Mapping[str, str]] = {
    "trl": "TRL",
    "accelerate": "accelerate",
    "deepspeed": "DeepSpeed",
    "llamafactory": "LLaMA-Factory",
    "axolotl": "Axolotl",
    "torchtune": "torchtune",
    "swift": "ms-swift",
}
"""Their names as they write them."""


class Said(NamedTuple):
    """A sentence in English and in Chinese."""

    english: str
    chinese: str

    def text(self, lang: str) -> str:
        """Return the sentence in ``en`` or ``zh``."""
        return self.chinese if lang == "zh" else self.english


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file of an export."""

    name: str
    """Its name, without a folder."""
    text: str
    """All that it holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A recipe as files of a trainer."""

    trainer: str
    """The trainer's short name, one of TRAINERS."""
    files: tuple[File, ...]
    """The files, the one to start from first."""
    command: str
    """The line that runs them, typed in their folder."""
    notes: tuple[Said, ...]
    """What the files cannot say, or say otherwise; also written at the top of the first file."""
    runs: Recipe
    """The recipe that the trainer runs with these files: what an import makes of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where the value of one key of an imported recipe comes from."""

    key: str
    """The recipe's dotted key."""
    value: Any
    """Its value, as plain JSON types."""
    how: Literal["stated", "defaulted", "assumed"]
    """Stated in the file, the trainer's default, or neither."""
    where: str
    """The line and key of the file, the trainer's source file, or why it is assumed."""
    where_zh: str
    """The same in Chinese."""

    def to_mapping(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"key": self.key, "value": self.value, "how": self.how, "where": self.where}


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """A recipe read from a trainer's file."""

    recipe: Recipe
    """The recipe."""
    trainer: str
    """The trainer whose file it was."""
    version: str
    """The package and version whose defaults fill what the file leaves out."""
    provenance: tuple[Origin, ...]
    """Where each key's value comes from, in the order of a recipe."""
    ignored: tuple[str, ...]
    """Keys of the file that touch neither memory nor time."""
    warnings: tuple[Said, ...]
    """What may make the run differ from the recipe, unknown keys included."""

    def to_mapping(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "trainer": self.trainer,
            "version": self.version,
            "provenance": [origin.to_mapping() for origin in self.provenance],
            "ignored": list(self.ignored),
            "warnings": [warning.english for warning in self.warnings],
        }
