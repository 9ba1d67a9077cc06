"""What a rented node brings in memory of the host for each card, for what is offloaded there.

``hosts.csv`` has one common instance a card; the smallest one was taken where several are rented out.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from tunesmith.hardware import Gpu
from tunesmith.units import GIB

UNKNOWN_MULTIPLE: Final = 1
"""Memory of the host for a card that is not in the table, as a multiple of the card's own: a little under the
table's median of 1.4, which goes from 0.67 (one L40S on AWS) to 8.3 (one A10 at Lambda)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """What one instance brings for one card."""

    card: str
    """Name of the card, as ``hardware.gpu`` writes it."""
    host_bytes: int
    """Memory of the host for each card of the instance."""
    instance: str
    """The instance, as its provider names it."""
    source: str
    """Where it was read."""


def host_bytes_per_card(gpu: Gpu) -> int:
    """Return what a rented node brings in memory of the host for each *gpu*, which is an assumption."""
    host = HOSTS.get(gpu.name)
    return UNKNOWN_MULTIPLE * gpu.advertised_bytes if host is None else host.host_bytes


def _hosts() -> dict[str, Host]:
    with (files("tunesmith.hardware") / "hosts.csv").open(encoding="utf-8") as lines:
        return {
            row["card"]: Host(
                card=row["card"],
                host_bytes=int(row["host_gib"]) * GIB,
                instance=row["instance"],
                source=row["source"],
            )
            for row in csv.DictReader(lines)
        }


HOSTS: Final[Mapping[str, Host]] = MappingProxyType(_hosts())
"""One common instance a card."""
