"""HostBlock: what a run keeps in the memory of the host, for one card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class HostBlock:
    """Memory of the host that one card's process holds from a moment on, until the run ends."""

    what: str
    """What lies there, e.g. ``optimizer states``: one of the timeline's categories."""
    bytes: int
    """Its size."""
    pinned: bool = False
    """Whether it is locked in place, so that the card can copy while it computes."""
    place: str = "cpu"
    """``cpu``, or ``nvme`` where it lies on a disk."""
