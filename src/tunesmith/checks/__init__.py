"""Checks of training data: one a file, rows in, one finding or none out.

check.py  what a check is    finding.py  what it returns    checking.py  all of them over a file
The others are one check each; the list below is the order in which they look and report.
"""

from __future__ import annotations

from typing import Final

from tunesmith.checks.check import Asked, Check
from tunesmith.checks.checking import Report, check_rows
from tunesmith.checks.empty import Empty
from tunesmith.checks.exact_duplicate import ExactDuplicate
from tunesmith.checks.finding import Evidence, Finding
from tunesmith.checks.url import Url

__all__ = ["CHECKS", "Asked", "Check", "Evidence", "Finding", "Report", "check_rows"]

CHECKS: Final[tuple[type[Check], ...]] = (
    Empty,
    ExactDuplicate,
    Url,
)
"""Every check."""
