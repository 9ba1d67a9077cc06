"""Finding: what a check found, in which rows, on what evidence, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tunesmith.architecture.bounds import printable

Severity = Literal["error", "warning", "info"]
SEVERITIES: Final = ("error", "warning", "info")
"""The worst first: a model will learn something wrong, it may, it is good to know."""
EXCERPT: Final = 160
"""Characters of a row that are shown as evidence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One row that shows what a finding is about."""

    row: int
    """The row, counted from 0."""
    line: int
    """Where it stands in its file, counted from 1."""
    text: str = ""
    """What it says where it matters, in one short line that no terminal obeys."""
    note: str = ""
    """What is to be seen there."""
    note_zh: str = ""
    """The same in Chinese."""

    @classmethod
    def of(cls, row: int, line: int, text: str = "", note: str = "", note_zh: str = "") -> Evidence:
        """Return the evidence with its *text* cut and made inert."""
        shown = printable(text[: EXCERPT + 1])
        shown = shown if len(shown) <= EXCERPT else shown[:EXCERPT] + "…"
        return cls(row=row, line=line, text=shown, note=printable(note), note_zh=printable(note_zh))

    def to_mapping(self) -> dict[str, Any]:
        """Return the evidence as plain JSON types."""
        return {"row": self.row, "line": self.line, "text": self.text, "note": self.note}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found."""

    check: str
    """The check's name, e.g. ``exact_duplicate``."""
    severity: Severity
    """``error``, ``warning`` or ``info``."""
    rows: tuple[int, ...] = field(repr=False)
    """Every row it is about, in order; none where it is about the set as a whole."""
    message: str
    """What was found, in one sentence with its numbers."""
    message_zh: str
    """The same in Chinese."""
    fix: str
    """What to do about it."""
    fix_zh: str
    """The same in Chinese."""
    evidence: tuple[Evidence, ...] = ()
    """A few of the rows."""
    drop: tuple[int, ...] = field(default=(), repr=False)
    """Rows that cleaning leaves out because of it, in order."""
    instead: Mapping[int, int] = field(default_factory=dict, repr=False)
    """For a row that is left out, the row that says the same and stays, where there is one."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the finding as plain JSON types."""
        return {
            "check": self.check,
            "severity": self.severity,
            "rows": list(self.rows),
            "message": self.message,
            "fix": self.fix,
            "evidence": [each.to_mapping() for each in self.evidence],
        }
