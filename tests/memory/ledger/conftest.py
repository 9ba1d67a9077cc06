"""The real trace, without what libraries print, and the card that tests estimate for."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():  # what libraries say of themselves while they are imported
    warnings.simplefilter("ignore")
    from tunesmith.memory.trace import trace

from tunesmith.architecture import Architecture
from tunesmith.hardware import Gpu, gpu
from tunesmith.memory.estimate import Traced
from tunesmith.memory.ledger import Trace
from tunesmith.recipe import Recipe


def quiet(architecture: Architecture, recipe: Recipe, card: Gpu) -> Traced:
    """Return the real trace of a step."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return trace(architecture, recipe, card)


@pytest.fixture(scope="session")
def real_trace() -> Trace:
    """Return what runs a real step on the meta device."""
    return quiet


@pytest.fixture(scope="session")
def card() -> Gpu:
    """Return the card that tests estimate for."""
    return gpu("A100-80GB")
