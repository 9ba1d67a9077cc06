"""Values become canonical, what is left out is filled with a reason, and all mistakes are told at once."""

import json
from pathlib import Path

import pytest

from tunesmith.errors import RecipeError
from tunesmith.recipe import Recipe

GOLDEN = Path(__file__).parent.parent / "golden" / "recipe"
MEASURED = [json.loads(line) for line in (GOLDEN / "measured.jsonl").read_text(encoding="utf-8").splitlines()]


def problems(mapping: dict) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_mapping(mapping)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_all_problems_are_reported_at_once():
    """Unknown keys, bad values and conflicts of one recipe come in one message."""
    told = problems(
        {
            "adapter": {"r": True, "lora_dropout": 1, "rnak": 8},
            "quantization": {"bits": 4, "quant_type": "int8"},
            "optim": "adamw_8bits",
            "sequence_length": "2048",
            "hardware": {"gpus": 0},
            "offload": "cpu",
            "sequence_lenght": 2048,
        }
    )
    assert [line.split(":")[0] for line in told] == [
        "sequence_lenght",
        "optim",
        "sequence_length",
        "model",
        "adapter.rnak",
        "adapter.r",
        "adapter.lora_dropout",
        "hardware.gpus",
        "offload",
        "quantization",
        "quantization.quant_type",
    ]
    assert told[0].endswith("Did you mean sequence_length?")


def test_a_conflict_that_rests_on_a_mistake_is_not_told():
    """A misspelled method is one problem, not one for every section it would have allowed."""
    assert len(problems({"model": "gpt2", "metod": "qlora", "quantization": {}})) == 1
    assert len(problems({"model": "gpt2", "method": "qlra", "quantization": {}})) == 1
    assert len(problems({"model": "gpt2", "method": "freeze", "freeze": {"last_n_layers": 0}})) == 1
    assert len(problems({"model": "gpt2", "method": "freeze", "freeze": "lm_head"})) == 1
    assert len(problems({"model": "gpt2", "sharding": "zero-2", "offload": {"optimizer": "cpu"}})) == 1


def test_an_unknown_key_of_an_adapter_is_shown_the_way_to_peft():
    """Arguments that only PEFT knows have a place of their own."""
    told = problems({"model": "gpt2", "adapter": {"init_weights": "pissa"}})
    assert told[0].endswith("Further arguments of PEFT's config class go under adapter.options.")


def test_a_flood_of_unknown_keys_is_counted():
    """Nine thousand wrong keys are not searched for near misses one by one; the rest is one problem."""
    told = problems({"model": "gpt2", "adapter": {f"key_{i}": 1 for i in range(9000)}})
    assert len(told) == 11
    assert told[-1] == "adapter: given 8990 more unknown keys, expected only known keys. Remove them."


@pytest.mark.parametrize(
    "key", ["adapter", "quantization", "freeze", "training", "precision", "hardware", "offload"]
)
def test_null_for_a_section_is_the_same_as_leaving_it_out(key):
    """A key without a value in YAML changes nothing."""
    assert Recipe.from_mapping({"model": "gpt2", key: None}) == Recipe(model="gpt2")


def test_qlora_fills_its_sections_and_says_why():
    """An automatic choice carries its reason as a value; written out, it is a choice like any other."""
    recipe = Recipe.from_mapping({"model": "gpt2", "method": "qlora"})
    assert [reason.split(":")[0] for reason in recipe.reasons] == ["adapter", "quantization"]
    assert recipe.quantization is not None
    assert (recipe.quantization.bits, recipe.quantization.quant_type) == (4, "nf4")
    again = Recipe.from_mapping(recipe.to_mapping())
    assert again == recipe
    assert again.reasons == ()


@pytest.mark.parametrize("given", [{"bits": 8}, {"quant_type": "int8"}])
def test_half_of_int8_implies_the_other(given):
    """Neither 4-bit default is forced on eight bits."""
    made = Recipe(model="gpt2", method="qlora", quantization=given).quantization
    assert made is not None
    assert (made.bits, made.quant_type, made.double_quant) == (8, "int8", False)


def test_names_and_numbers_become_canonical():
    """Two spellings of one run are one recipe, with one hash."""
    spelled = {"precision": {"weights": "fp32"}, "optim": "Lion", "max_grad_norm": 0, "training": {"seed": 1}}
    canonical = {"precision": {"weights": "float32"}, "optim": "lion_32bit", "max_grad_norm": None}
    one = Recipe.from_mapping({"model": "gpt2"} | spelled)
    other = Recipe.from_mapping(
        {"model": "gpt2", "training": {"seed": 1, "num_train_epochs": "3"}} | canonical
    )
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row["source"][:40])
def test_recipes_of_published_measurements_are_read_as_they_stand(row):
    """Every value that was given is kept, except that a shorthand of sharding is spelled out."""
    given = row["recipe"]
    kept = Recipe.from_mapping(given).to_mapping()
    for key, value in given.items():
        if key == "sharding" and value.startswith("fsdp_full"):
            assert kept["sharding"] == "fsdp"
            assert kept["offload"] == {"optimizer": "cpu", "parameters": "cpu"}
        elif isinstance(value, dict) and key != "model":
            assert value.items() <= kept[key].items()
        else:
            assert kept[key] == value
