"""Draft: an export while it is being written, and the text of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from tunesmith.recipe.kinds import NUMBER
from tunesmith.recipe.problems import printable
from tunesmith.trainers.result import Said

WIDTH: Final = 110


class Job(NamedTuple):
    """What is trained on and where the result goes, which is not a recipe's to say."""

    data: str
    """A file of conversations as JSON lines, or a Hub id."""
    output_dir: str
    """The folder for checkpoints."""

    @property
    def is_file(self) -> bool:
        """Return whether the data is a file, by its suffix."""
        return self.data.lower().endswith((".json", ".jsonl", ".parquet", ".csv"))


@dataclass(kw_only=True)
class Draft:
    """The files of an export, what they cannot say, and the line that runs them."""

    command: str = ""
    """The line that runs the files."""
    files: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """File name to content, the one to start from first."""
    notes: list[Said] = field(default_factory=list)
    """What the user should know."""
    refused: list[str] = field(default_factory=list)
    """What the trainer cannot do and what would change memory."""

    def file(self, name: str, content: Mapping[str, Any]) -> None:
        """Add a file, whose suffix says how it is written."""
        self.files[name] = content

    def note(self, english: str, chinese: str) -> None:
        """Add a sentence for the user."""
        self.notes.append(Said(english, chinese))

    def refuse(self, why: str) -> None:
        """Add a reason not to write the files at all."""
        self.refused.append(why)

    def takes(self, model: str | Mapping[str, Any], title: str) -> bool:
        """Return whether *model* is a name or folder, and refuse one that is given inline."""
        if isinstance(model, str):
            return True
        self.refuse(f"the model is a config.json given inline; {title} needs its name or folder")
        return False

    def environment(self, alloc_conf: str | None) -> None:
        """Set the allocator's options before the command."""
        if alloc_conf:
            self.command = f"PYTORCH_CUDA_ALLOC_CONF='{_quoted(alloc_conf)}' {self.command}"


def _quoted(text: str) -> str:
    return printable(text).replace("'", "'\\''")


def shell(text: str) -> str:
    """Return *text* as one word of a POSIX shell."""
    plain = text and all(c.isalnum() or c in "@%+=:,./-_" for c in text)
    return text if plain and text.isascii() else f"'{_quoted(text)}'"


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: no anchors, lists indented."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    """Return a float that YAML 1.1 and 1.2 both read as one: 5.0e-05, never 5e-05."""
    text = repr(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(float, _number)
_Dumper.add_implicit_resolver(  # text that YAML 1.2 would take for a number is quoted
    "tag:yaml.org,2002:float", re.compile(f"(?:{NUMBER.pattern})$"), list("-+.0123456789")
)


def written(name: str, content: Mapping[str, Any], head: list[str]) -> str:
    """Return *content* as the text of the file *name*, under comment lines *head* where it may have any."""
    if name.endswith(".json"):
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    body = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return "".join(f"# {printable(line)}".rstrip() + "\n" for line in head) + body
