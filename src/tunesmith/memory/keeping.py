"""Estimates and Timelines as plain JSON, and back: what comes back is checked like any stranger's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tunesmith.hardware import Gpu
from tunesmith.memory.allocator import PhaseMemory
from tunesmith.memory.estimate import Estimate, Instant, Peak, Suggestion
from tunesmith.memory.host import HostBlock
from tunesmith.memory.timeline import CATEGORIES, Phase, Storage, Timeline
from tunesmith.recipe import Recipe

_MAX_TEXT: Final = 4_000
_ENGINES: Final = ("trace", "ledger")


def packed_estimate(answer: Estimate) -> dict[str, Any]:
    """Return *answer* without its recipe, card and timeline, which the question brings along."""
    mapping = answer.to_mapping()
    del mapping["recipe"]
    return mapping


def unpacked_estimate(kept: Mapping[str, Any], *, recipe: Recipe, gpu: Gpu | None) -> Estimate | None:
    """Return the estimate that was packed, or None where a value is not what it has to be."""
    try:
        answer = Estimate(
            model=_text(kept["model"]),
            recipe=recipe,
            peak=Peak(**_counts(kept["peak"], Peak)),
            peak_at=Instant(
                **{name: _text(kept["peak_at"][name]) for name in ("phase", "module", "operation")}
            ),
            parts={_category(name): _count(count) for name, count in kept["parts"].items()},
            phases=tuple(
                PhaseMemory(name=_text(each.pop("name")), **_counts(each, PhaseMemory, but="name"))
                for each in map(dict, kept["phases"])
            ),
            parameters=_count(kept["parameters"]),
            trainable_parameters=_count(kept["trainable_parameters"]),
            fits=_answer(kept["fits"]),
            margin_bytes=None if kept["margin_bytes"] is None else _integer(kept["margin_bytes"]),
            assumptions=tuple(map(_text, kept["assumptions"])),
            versions={_text(name): _text(version) for name, version in kept["versions"].items()},
            host=tuple(map(_host_block, kept["host"])),
            host_bytes=_count(kept["host_bytes"]),
            engine=_one_of(kept["engine"], _ENGINES),
            gpu=gpu,
            suggestions=tuple(map(_suggestion, kept["suggestions"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    sums = sum(answer.parts.values()) == answer.peak.allocated_bytes
    return answer if sums and (answer.fits is None) == (gpu is None) else None


def packed_timeline(timeline: Timeline) -> dict[str, Any]:
    """Return *timeline* as columns; a cause, which thousands of storages share, is written once."""
    causes: dict[tuple[str, str, str, int], int] = {}
    of = []
    for storage in timeline.storages:
        cause = (storage.category, storage.module, storage.operation, storage.stream)
        of.append(causes.setdefault(cause, len(causes)))
    return {
        "causes": [list(cause) for cause in causes],
        "cause": of,
        "bytes": [storage.bytes for storage in timeline.storages],
        "events": list(timeline.events),
        "phases": [[each.name, each.start, each.end, each.empties_cache] for each in timeline.phases],
    }


def unpacked_timeline(kept: Mapping[str, Any]) -> Timeline | None:
    """Return the timeline that was packed, or None where it is not one."""
    try:
        causes = [
            (_category(category), _text(module), _text(operation), _count(stream))
            for category, module, operation, stream in kept["causes"]
        ]
        storages = []
        for cause, count in zip(kept["cause"], kept["bytes"], strict=True):
            category, module, operation, stream = causes[_count(cause)]
            storages.append(
                Storage(
                    bytes=_count(count), category=category, module=module, operation=operation, stream=stream
                )
            )
        phases = tuple(
            Phase(name=_text(name), start=_count(start), end=_count(end), empties_cache=bool(empties))
            for name, start, end, empties in kept["phases"]
        )
        events = tuple(kept["events"])
        _check_events(events, phases, len(storages))
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return Timeline(storages=tuple(storages), events=events, phases=phases)


def _check_events(events: Sequence[Any], phases: Sequence[Phase], num_storages: int) -> None:
    """Raise ValueError unless each storage is born once, in order, and released at most once, later."""
    born, live = 0, set()
    for event in events:
        if type(event) is not int:
            raise ValueError(event)
        if event > 0:
            born += 1
            if event != born:
                raise ValueError(event)
            live.add(event)
        elif -event in live:
            live.remove(-event)
        else:
            raise ValueError(event)
    starts = [0, *(phase.end for phase in phases)]
    joined = all(phase.start == start <= phase.end for phase, start in zip(phases, starts, strict=False))
    if born != num_storages or not joined or starts[-1] > len(events):
        raise ValueError("phases")


def _host_block(kept: Mapping[str, Any]) -> HostBlock:
    return HostBlock(
        what=_category(kept["what"]),
        bytes=_count(kept["bytes"]),
        pinned=_answer(kept["pinned"]) is True,
        place=_one_of(kept["place"], ("cpu", "nvme")),
    )


def _suggestion(kept: Mapping[str, Any]) -> Suggestion:
    return Suggestion(
        change={_text(name): _plain(value) for name, value in kept["change"].items()},
        allocated_bytes=_count(kept["allocated_bytes"]),
        reserved_bytes=_count(kept["reserved_bytes"]),
        process_bytes=_count(kept["process_bytes"]),
        saved_bytes=_count(kept["saved_bytes"]),
        fits=_answer(kept["fits"]),
        reason=_text(kept["reason"]),
        reason_zh=_text(kept["reason_zh"]),
    )


def _counts(kept: Mapping[str, Any], kind: type, but: str = "") -> dict[str, Any]:
    names = [name for name in kind.__dataclass_fields__ if name != but]  # type: ignore[attr-defined]
    return {name: _count(kept[name]) for name in names}


def _integer(value: object) -> int:
    if type(value) is not int or abs(value) >= 1 << 62:
        raise ValueError(value)
    return value


def _count(value: object) -> int:
    if _integer(value) < 0:
        raise ValueError(value)
    return _integer(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError("text")
    return value


def _plain(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _text(value)


def _answer(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(value)


def _one_of(value: object, allowed: Sequence[str]) -> str:
    if _text(value) not in allowed:
        raise ValueError(value)
    return _text(value)


def _category(value: object) -> str:
    return _one_of(value, CATEGORIES)
