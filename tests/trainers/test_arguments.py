"""The shared table of defaults is transformers' own."""

from __future__ import annotations

import dataclasses

import pytest
import transformers
from transformers import TrainingArguments

from tunesmith.trainers.arguments import STEP, TRAINING, TRAINING_ARGUMENTS
from tunesmith.trainers.trl import DEFAULTS

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves


def test_the_defaults_are_those_of_training_arguments() -> None:
    """Every default is that of the installed TrainingArguments, of the version that is named."""
    assert any(place.startswith(f"transformers=={transformers.__version__}:") for place in DEFAULTS.tables)
    made = TrainingArguments(use_cpu=True)
    for name, value in TRAINING_ARGUMENTS.items():
        installed = getattr(made, name)
        installed = getattr(installed, "value", installed)
        assert (installed or None) == (value or None), name


def test_every_name_is_a_field() -> None:
    """The names that are written are fields of TrainingArguments."""
    fields = {spec.name for spec in dataclasses.fields(TrainingArguments)}
    assert {*STEP, *TRAINING, *TRAINING_ARGUMENTS} <= fields
