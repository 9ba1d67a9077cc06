"""Whose file it is, told by its keys."""

from __future__ import annotations

import pytest

from tunesmith.errors import RecipeError
from tunesmith.trainers.recognising import MARKS, NEEDED, recognised
from tunesmith.trainers.result import TRAINERS


@pytest.mark.parametrize(
    ("given", "trainer"),
    [
        ({"base_model": "x", "micro_batch_size": 1}, "axolotl"),
        (
            {"model_name_or_path": "x", "finetuning_type": "lora", "stage": "sft", "cutoff_len": 9},
            "llamafactory",
        ),
        ({"model_name_or_path": "x", "use_peft": True, "lora_r": 8}, "trl"),
        ({"model_name_or_path": "x", "bf16": True}, "trl"),
        ({"model": "x", "tuner_type": "full"}, "swift"),
        ({"model": {"_component_": "y"}, "tokenizer": {}}, "torchtune"),
        ({"distributed_type": "FSDP", "fsdp_config": {}, "num_processes": 8}, "accelerate"),
        ({"zero_optimization": {"stage": 2}}, "deepspeed"),
    ],
)
def test_a_few_keys_tell_the_trainer(given: dict[str, object], trainer: str) -> None:
    """The keys that only one trainer has decide."""
    assert recognised(given, "it") == trainer


def test_keys_of_two_trainers_ask_which() -> None:
    """A file that could be of two trainers is not guessed at."""
    with pytest.raises(RecipeError, match="looks like a file of"):
        recognised({"base_model": "x", "model": "x"}, "it")


def test_every_trainer_has_its_marks() -> None:
    """Each trainer can be told, by keys that it has."""
    assert set(MARKS) == set(NEEDED) == set(TRAINERS)
