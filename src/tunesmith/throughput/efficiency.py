"""Efficiency: which share of a card's printed rates training reaches, fitted to published runs.

The numbers are fitted by ``benchmarks/throughput.py`` and said, with their spread, in ``docs/throughput.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Efficiency:
    """Shares of printed peaks, and what a launch costs."""

    matmul: float
    """Share of the peak of the tensor cores that matrix products reach."""
    attention: float
    """The same for the fused attention kernels, forward and backward together."""
    bandwidth: float
    """Share of the memory's bandwidth that all other kernels reach."""
    launch_seconds: float
    """Time of Python and PyTorch to launch one kernel, without compilation or CUDA graphs."""


DEFAULT: Final = Efficiency(matmul=0.70, attention=0.45, bandwidth=0.70, launch_seconds=8e-6)
"""What cards reach whose generation has no figures of its own."""

EFFICIENCIES: Final[Mapping[str, Efficiency]] = MappingProxyType({})
"""The same by ``Gpu.architecture``, where enough runs were published."""

LEAST: Final = 0.80
"""Measured over computed time at the 5th percentile of the published runs: the lower end of an interval."""

MOST: Final = 1.40
"""The same at the 95th percentile: the upper end."""
