"""Efficiency: which share of a card's printed rates training reaches, fitted to published runs.

The numbers are fitted by ``benchmarks/throughput.py`` to every second of the runs in
``benchmarks/rows/throughput.jsonl``; ``docs/throughput.md`` says how well they meet the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tunesmith.hardware import Gpu


@dataclass(frozen=True, kw_only=True, slots=True)
class Efficiency:
    """Shares of printed peaks, and what a launch costs."""

    matmul: float
    """Share of the peak of the tensor cores that matrix products reach, beside their traffic."""
    attention: float
    """The same for the fused attention kernels, forward and backward together."""
    bandwidth: float
    """Share of the memory's bandwidth that kernels reach; above 1 where caches save traffic."""
    launch_seconds: float
    """Time of Python and PyTorch to launch one kernel, without compilation or CUDA graphs."""


GROUPS: Final = ("server", "new server", "halved board", "board", "old board")
"""Groups of cards that reach a similar share of what is printed.

``server``: HBM until Ampere (V100, A30, A100); ``new server``: HBM since Hopper, whose tensor cores outrun
what feeds them; ``halved board``: graphics boards whose tensor cores accumulate at half the rate of their
chip, so that power and memory keep up (GeForce since Ampere, L40); ``board``: the others since Ampere, which
power holds back (A10, RTX A6000, L4, L40S, RTX 6000 Ada); ``old board``: those before (T4, RTX 20).
"""

EFFICIENCIES: Final[Mapping[str, Efficiency]] = MappingProxyType(
    {
        "server": Efficiency(matmul=0.83, attention=0.40, bandwidth=0.85, launch_seconds=16e-6),
        "new server": Efficiency(matmul=0.50, attention=0.24, bandwidth=0.85, launch_seconds=16e-6),
        "halved board": Efficiency(matmul=1.09, attention=0.52, bandwidth=1.02, launch_seconds=16e-6),
        "board": Efficiency(matmul=0.44, attention=0.21, bandwidth=1.02, launch_seconds=16e-6),
        "old board": Efficiency(matmul=0.32, attention=0.15, bandwidth=1.02, launch_seconds=16e-6),
    }
)
"""What each group reaches."""

LEAST: Final = 0.86
"""Measured over computed time at the 2.5th percentile of the published runs: the lower end of an interval."""

MOST: Final = 1.26
"""The same at the 97.5th percentile: the upper end."""

_HALVED_RATIO: Final = 2.5
"""Tensor rate over plain fp32 rate below which the tensor cores are halved: 2 on those, 4 and more
elsewhere."""


def group(gpu: Gpu) -> str:
    """Return the group that *gpu* is in.

    >>> from tunesmith.hardware import gpu
    >>> group(gpu("RTX 4090")), group(gpu("A100"))
    ('halved board', 'server')
    """
    capability = gpu.compute_capability
    if capability is None or capability in ((6, 0), (7, 0), (8, 0)):
        return "server"
    if capability[0] in (9, 10, 11):
        return "new server"
    if capability < (8, 0):
        return "old board"
    peaks = gpu.peak_flops
    ratio = peaks.get("bf16", peaks.get("fp16", 0)) / peaks.get("fp32", 1)
    return "halved board" if ratio < _HALVED_RATIO else "board"


def efficiency(gpu: Gpu) -> Efficiency:
    """Return which share of its printed rates *gpu* reaches."""
    return EFFICIENCIES[group(gpu)]
