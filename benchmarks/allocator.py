"""How fast a Timeline is replayed, and what expandable segments change.

Run it: python benchmarks/allocator.py [EVENTS]
"""

from __future__ import annotations

import random
import sys
import time

from tunesmith.memory.allocator import AllocatorSettings, replay
from tunesmith.memory.timeline import Phase, Storage, Timeline
from tunesmith.units import KIB, MIB, gib

SIZES = (512, 4 * KIB, 64 * KIB, 700 * KIB, 2 * MIB, 8 * MIB, 33 * MIB, 129 * MIB)


def training_like(events: int, seed: int = 0) -> Timeline:
    """Return a made-up run: layers that keep some of what they make, released in reverse."""
    choose = random.Random(seed)
    storages: list[Storage] = []
    order: list[int] = []
    kept: list[int] = []
    while len(order) < events:
        while len(kept) < 400 and len(order) < events:
            size = choose.choice(SIZES) + choose.randrange(0, 64 * KIB)
            storages.append(Storage(bytes=size, category="activations", module="layer", operation="made up"))
            order.append(len(storages))
            if choose.random() < 0.4:
                kept.append(len(storages))
            else:
                order.append(-len(storages))
        while kept:
            order.append(-kept.pop())
    return Timeline(
        storages=tuple(storages),
        events=tuple(order),
        phases=(Phase(name="run", start=0, end=len(order)),),
    )


def main() -> None:
    timeline = training_like(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    for expandable in (False, True):
        settings = AllocatorSettings(expandable_segments=expandable)
        start = time.perf_counter()
        result = replay(timeline, settings=settings)
        seconds = time.perf_counter() - start
        print(
            f"expandable_segments:{expandable!s:5}  {len(timeline.events):,} events in {seconds:.2f} s, "
            f"{len(timeline.events) / seconds:,.0f} events/s; allocated {gib(result.allocated_bytes)}, "
            f"reserved {gib(result.reserved_bytes)}"
        )


if __name__ == "__main__":
    main()
