"""The published runs, with the work that was counted for them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "throughput.py"


@pytest.fixture(scope="session")
def benchmark() -> ModuleType:
    """Return benchmarks/throughput.py as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_throughput", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
