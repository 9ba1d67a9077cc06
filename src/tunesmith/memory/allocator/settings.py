"""AllocatorSettings: what PYTORCH_ALLOC_CONF (or PYTORCH_CUDA_ALLOC_CONF) can say about device memory.

Keys, defaults and limits: pytorch/pytorch v2.13.0, c10/core/AllocatorConfig.{h,cpp} and
c10/cuda/CUDAAllocatorConfig.h.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tunesmith.errors import RecipeError
from tunesmith.units import MIB

MIN_BLOCK_BYTES: Final = 512
"""Every request is rounded up to a multiple of this: kMinBlockSize, c10/core/AllocatorConfig.h:18."""
SMALL_BYTES: Final = MIB
"""The largest request of the small pool: kSmallSize, c10/core/AllocatorConfig.h:20."""
SMALL_SEGMENT_BYTES: Final = 2 * MIB
"""Segments of the small pool: kSmallBuffer, c10/core/AllocatorConfig.h:16."""
LARGE_SEGMENT_BYTES: Final = 20 * MIB
"""Segments for requests below MIN_LARGE_BYTES: large_segment_size_, c10/core/AllocatorConfig.h:339."""
MIN_LARGE_BYTES: Final = 10 * MIB
"""Requests from here on get a segment of their own: kMinLargeAlloc, c10/core/AllocatorConfig.h:22."""
LARGE_ROUNDING_BYTES: Final = 2 * MIB
"""What such a segment is rounded up to: kRoundLarge, c10/core/AllocatorConfig.h:24."""
ROUNDUP_INTERVALS: Final = 16
"""Powers of two from 1 MiB to 32 GiB: kRoundUpPowerOfTwoIntervals, c10/core/AllocatorConfig.cpp."""

_IGNORED: Final = (
    "graph_capture_record_stream_reuse",
    "pinned_free_catch_all",
    "pinned_max_cached_size_mb",
    "pinned_max_round_threshold_mb",
    "pinned_num_register_threads",
    "pinned_reserve_segment_size_mb",
    "pinned_use_background_threads",
    "pinned_use_cuda_host_register",
    "release_lock_on_cudamalloc",
)
"""Keys of host memory, locking and CUDA graphs: they change nothing that is replayed here."""


@dataclass(frozen=True, kw_only=True)
class AllocatorSettings:
    """The choices of PYTORCH_ALLOC_CONF that decide where blocks go; the defaults are PyTorch's."""

    expandable_segments: bool = False
    """One address range a pool and stream, mapped piece by piece, instead of many segments."""
    max_split_size_bytes: int | None = None
    """Blocks of this size or larger are never split; None: any block may be."""
    max_non_split_rounding_bytes: int | None = None
    """How much larger than a request of max_split_size or more its block may be; None: 20 MiB."""
    roundup_power2_divisions: tuple[int, ...] = (0,) * ROUNDUP_INTERVALS
    """Steps between powers of two to round requests up to, one a power from 1 MiB on; 0 or 1: none."""
    garbage_collection_threshold: float | None = None
    """Share of the allowed memory above which idle segments are freed; needs a memory fraction."""
    large_segment_size_bytes: int = LARGE_SEGMENT_BYTES
    """Size of the segments that requests between 1 and 10 MiB share."""
    per_process_memory_fraction: float = 1.0
    """Share of the card that the process may reserve, as torch.cuda.set_per_process_memory_fraction."""

    @classmethod
    def parse(cls, text: str) -> AllocatorSettings:
        """Return the settings that *text* describes, in the environment variable's own syntax.

        >>> AllocatorSettings.parse("expandable_segments:True,max_split_size_mb:128").max_split_size_bytes
        134217728

        Raises:
            RecipeError: keys or values that PyTorch refuses or that cannot be replayed, all at once.
        """
        values: dict[str, object] = {}
        problems: list[str] = []
        for key, value in _pairs(text):
            try:
                values.update(_field(key, value))
            except ValueError as problem:
                problems.append(str(problem))
        settings = cls(**values)  # type: ignore[arg-type]  # each parser returns its field's type
        problems += settings._contradictions()
        if problems:
            raise RecipeError("\n".join(["The CUDA allocator settings cannot be used:", *problems]))
        return settings

    def _contradictions(self) -> Iterator[str]:
        """Yield what no single value shows: limits below the size of a shared segment."""
        floor_mib = -(-self.large_segment_size_bytes // MIB)
        for key, size in (
            ("max_split_size_mb", self.max_split_size_bytes),
            ("max_non_split_rounding_mb", self.max_non_split_rounding_bytes),
        ):
            if size is not None and size < self.large_segment_size_bytes:
                yield f"  {key}: expected at least {floor_mib} (the large segment size), got {size // MIB}"

    def round_request(self, requested_bytes: int) -> int:
        """Return the block size that *requested_bytes* asks for: round_size, line 3062."""
        if requested_bytes < MIN_BLOCK_BYTES:
            return MIN_BLOCK_BYTES
        interval = min(max(requested_bytes.bit_length() - 1 - 20, 0), ROUNDUP_INTERVALS - 1)
        divisions = self.roundup_power2_divisions[interval]
        if divisions > 1 and requested_bytes > MIN_BLOCK_BYTES * divisions:
            return _round_to_division(requested_bytes, divisions)
        return -(-requested_bytes // MIN_BLOCK_BYTES) * MIN_BLOCK_BYTES

    def segment_bytes(self, size: int) -> int:
        """Return what cudaMalloc is asked for when no free block holds *size*: lines 3700-3708."""
        if size <= SMALL_BYTES:
            return SMALL_SEGMENT_BYTES
        if size < MIN_LARGE_BYTES:
            return self.large_segment_size_bytes
        return -(-size // LARGE_ROUNDING_BYTES) * LARGE_ROUNDING_BYTES


def _round_to_division(size: int, divisions: int) -> int:
    """Return *size* rounded up to one of *divisions* equal steps between its powers of two.

    With 4 divisions, 1200 lies between 1024 and 2048 and becomes 1280: roundup_power2_next_division.
    """
    floor = 1 << (size.bit_length() - 1)
    step = floor // divisions
    return -(-size // step) * step


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of *text*; commas inside brackets belong to a value."""
    for part in re.split(r",(?![^\[]*\])", re.sub(r"\s", "", text)):
        if part:
            key, _, value = part.partition(":")
            yield key, value


def _field(key: str, value: str) -> dict[str, object]:
    """Return the field that *key* sets, or nothing where it does not concern device memory."""
    if key in _PARSERS:
        name, parser = _PARSERS[key]
        return {name: parser(key, value)}
    if key == "backend" and value == "native":
        return {}
    if key == "backend":
        raise ValueError(f"  backend: only native can be replayed, got {value!r}; leave the key out")
    if key == "throw_on_cudamalloc_oom":
        if _flag(key, value):
            raise ValueError("  throw_on_cudamalloc_oom: True cannot be replayed; leave the key out")
        return {}
    if key in _IGNORED:
        return {}
    known = [*_PARSERS, *_IGNORED, "backend", "throw_on_cudamalloc_oom"]
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_PARSERS)}"
    raise ValueError(f"  {key}: unknown key; {hint}")


def _flag(key: str, value: str) -> bool:
    if value not in ("True", "False"):
        raise ValueError(f"  {key}: expected True or False, got {value!r}")
    return value == "True"


def _mebibytes(key: str, value: str) -> int:
    if not value.isdecimal():
        raise ValueError(f"  {key}: expected a whole number of MiB, got {value!r}")
    return int(value) * MIB


def _large_segment(key: str, value: str) -> int:
    size = _mebibytes(key, value)
    if size <= MIN_LARGE_BYTES:
        raise ValueError(f"  {key}: expected more than {MIN_LARGE_BYTES // MIB}, got {value}")
    return size


def _number(key: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"  {key}: expected a number, got {value!r}") from None


def _threshold(key: str, value: str) -> float:
    threshold = _number(key, value)
    if not 0 < threshold < 1:
        raise ValueError(f"  {key}: expected a number between 0 and 1, both excluded, got {value}")
    return threshold


def _fraction(key: str, value: str) -> float:
    fraction = _number(key, value)
    if not 0 <= fraction <= 1:
        raise ValueError(f"  {key}: expected a number from 0 to 1, got {value}")
    return fraction


def _power_of_two(key: str, text: str, *, zero: bool) -> int:
    number = int(text) if text.isdecimal() else -1
    if number < 0 or number & (number - 1) or (number == 0 and not zero):
        raise ValueError(f"  {key}: expected a power of two{' or 0' if zero else ''}, got {text!r}")
    return number


def _divisions(key: str, value: str) -> tuple[int, ...]:
    """Return the divisions of each interval: ``4`` for all, or ``[256:1,512:2,>:4]`` by size in MiB.

    As in PyTorch, the first size also sets every smaller one, ``>`` sets all above the last size named,
    and sizes in between that are not named are left alone.
    """
    if not value.startswith("["):
        return (_power_of_two(key, value, zero=False),) * ROUNDUP_INTERVALS
    if not value.endswith("]"):
        raise ValueError(f"  {key}: expected a closing bracket, got {value!r}")
    divisions = [0] * ROUNDUP_INTERVALS
    last = 0
    for position, part in enumerate(value[1:-1].split(",")):
        size, _, count = part.partition(":")
        steps = _power_of_two(key, count, zero=True)
        if size == ">":
            divisions[last + 1 :] = [steps] * (ROUNDUP_INTERVALS - last - 1)
            continue
        exponent = _power_of_two(key, size, zero=False).bit_length() - 1
        last = min(exponent, ROUNDUP_INTERVALS - 1)
        if position == 0:
            divisions[:last] = [steps] * last
        divisions[last] = steps
    return tuple(divisions)


_PARSERS: Final[dict[str, tuple[str, Callable[[str, str], object]]]] = {
    "expandable_segments": ("expandable_segments", _flag),
    "garbage_collection_threshold": ("garbage_collection_threshold", _threshold),
    "large_segment_size_mb": ("large_segment_size_bytes", _large_segment),
    "max_non_split_rounding_mb": ("max_non_split_rounding_bytes", _mebibytes),
    "max_split_size_mb": ("max_split_size_bytes", _mebibytes),
    "per_process_memory_fraction": ("per_process_memory_fraction", _fraction),
    "roundup_power2_divisions": ("roundup_power2_divisions", _divisions),
}
