"""Bytes in, text out: the only rounding, and only for faces.

1 GiB is 2**30 bytes and 1 GB is 10**9; every text here names its unit, because the two are 7.4 % apart.
"""

from __future__ import annotations

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
GB = 10**9


def gib(count: int, digits: int = 2) -> str:
    """Return *count* bytes as text in GiB, e.g. ``62.77 GiB``."""
    return f"{count / GIB:,.{digits}f} GiB"


def readable(count: int) -> str:
    """Return *count* bytes in the largest binary unit that leaves at least 1, e.g. ``8.13 MiB``."""
    for name, size in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if abs(count) >= size:
            return f"{count / size:,.2f} {name}"
    return f"{count} B"


def parameters(count: int) -> str:
    """Return a parameter count as people say it, e.g. ``6.74 B`` or ``39.98 M``."""
    for name, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size:
            return f"{count / size:.2f} {name}"
    return str(count)


def counted(count: int, noun: str) -> str:
    """Return *count* of a thing, with an s for all counts but one.

    >>> counted(1, "row"), counted(1145, "row")
    ('1 row', '1,145 rows')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
