"""Outlines as plain JSON, and back: what comes back is checked like any stranger's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tunesmith.memory.ledger.sizes import Size, Term
from tunesmith.memory.outline.forms import Form
from tunesmith.memory.outline.optimizers import OptimizerStep
from tunesmith.memory.outline.outlines import Outline
from tunesmith.memory.outline.sharding import Kept
from tunesmith.memory.outline.skyline import FAMILIES, Column, Counts, Skyline, Spot
from tunesmith.memory.outline.working import WorkForm
from tunesmith.memory.timeline import CATEGORIES
from tunesmith.memory.work import KINDS

_LARGEST: Final = 1 << 62
_MAX_TEXT: Final = 1_000
_COUNTS: Final = ("built", "gradients", "states", "step_start", "inputs", "layer", "held", "head")
_NUMBERS: Final = (
    "r",
    "layers",
    "round_layers",
    "block_bytes",
    "parameters",
    "trainable_parameters",
    "num_traces",
    "offloaded_token_bytes",
)


def packed_outline(outline: Outline) -> dict[str, Any]:
    """Return *outline* as plain JSON types, without the one it was joined with."""
    sky = outline.skyline
    return {
        "columns": [[column.category, column.form.size, column.form.ranked] for column in sky.columns],
        "spots": [
            [spot.phase, spot.family, spot.module, spot.counts, spot.done, spot.reducing]
            for spot in sky.spots
        ],
        **{name: getattr(sky, name) for name in _COUNTS},
        **{f"outline.{name}": getattr(outline, name) for name in _NUMBERS},
        "optim": outline.optim,
        "optimizers": {
            name: [each.gradients_bytes, each.states_bytes, each.step_bytes]
            for name, each in outline.optimizers.items()
        },
        "kept": [getattr(outline.kept, name) for name in Kept.__dataclass_fields__],
        "reserved_ratio": outline.reserved_ratio,
        "work": {
            phase: [[f.kind, f.dtype, f.flops, f.moved_bytes, f.kernels] for f in forms]
            for phase, forms in outline.work_forms.items()
        },
    }


def unpacked_outline(kept: Mapping[str, Any]) -> Outline | None:
    """Return the outline that was packed, or None where a value is not what it has to be."""
    try:
        numbers: dict[str, Any] = {name: _count(kept[f"outline.{name}"]) for name in _NUMBERS}
        return Outline(
            skyline=_skyline(kept),
            **numbers,
            optim=_text(kept["optim"]),
            optimizers={_text(name): _optimizer(*each) for name, each in kept["optimizers"].items()},
            kept=_kept(*kept["kept"]),
            reserved_ratio=_ratio(kept["reserved_ratio"]),
            work_forms={
                _text(phase): tuple(_work_form(*form) for form in forms)
                for phase, forms in kept["work"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _skyline(kept: Mapping[str, Any]) -> Skyline:
    columns = tuple(
        Column(_one_of(category, CATEGORIES), Form(_size(size), _flag(ranked)))
        for category, size, ranked in kept["columns"]
    )
    spots = tuple(
        Spot(
            phase=_text(phase),
            family=_one_of(family, FAMILIES),
            module=_text(module),
            counts=_pairs(counts, len(columns)),
            done=_pairs(done, len(columns)),
            reducing=_pairs(reducing, len(columns)),
        )
        for phase, family, module, counts, done, reducing in kept["spots"]
    )
    if not spots:
        raise ValueError("a run without an instant")
    return Skyline(
        columns=columns, spots=spots, **{name: _pairs(kept[name], len(columns)) for name in _COUNTS}
    )


def _size(kept: Any) -> Size:
    size = tuple((_integer(count), Term(*map(_count, term))) for count, term in kept)
    if any(term.batch > 2 or term.length > 3 or term.tile < 1 for _, term in size):
        raise ValueError("a size of no known form")
    return size


def _pairs(kept: Any, limit: int) -> Counts:
    pairs = tuple((_count(number), _count(count)) for number, count in kept)
    if any(number >= limit for number, _ in pairs):
        raise ValueError("a column out of range")
    return pairs


def _optimizer(gradients: Any, states: Any, step: Any) -> OptimizerStep:
    return OptimizerStep(
        gradients_bytes=_count(gradients), states_bytes=_count(states), step_bytes=_count(step)
    )


def _kept(frozen: Any, trainable: Any, quantized: Any, whole: Any, bucket: Any, item: Any) -> Kept:
    return Kept(
        frozen_bytes=_ratio(frozen),
        trainable_bytes=_ratio(trainable),
        quantized=_flag(quantized),
        whole_layers=_flag(whole),
        bucket_elements=_count(bucket),
        item_bytes=max(1, _count(item)),
    )


def _work_form(kind: Any, dtype: Any, flops: Any, moved: Any, kernels: Any) -> WorkForm:
    return WorkForm(
        kind=_one_of(kind, KINDS),
        dtype=_text(dtype),
        flops=_three(flops),
        moved_bytes=_three(moved),
        kernels=_three(kernels),
    )


def _three(kept: Any) -> tuple[float, float, float]:
    constant, linear, square = map(_number, kept)
    return constant, linear, square


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e30:
        raise ValueError(value)
    return float(value)


def _ratio(value: Any) -> float:
    if not 1 <= _number(value) <= 100:
        raise ValueError(value)
    return float(value)


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) >= _LARGEST:
        raise ValueError(value)
    return value


def _count(value: Any) -> int:
    if _integer(value) < 0:
        raise ValueError(value)
    return _integer(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError("text")
    return value


def _one_of(value: Any, allowed: Sequence[str]) -> str:
    if _text(value) not in allowed:
        raise ValueError(value)
    return _text(value)
