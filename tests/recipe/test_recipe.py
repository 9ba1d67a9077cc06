"""A recipe is what its file says: the same in YAML, JSON and Python, and never changed in place."""

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import RecipeError
from tunesmith.recipe import Adapter, Hardware, Recipe, names, parse_recipe, read_recipe, with_changes

GOLDEN = Path(__file__).parent.parent / "golden" / "recipe"

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(
    lambda text: text.strip() and "${" not in text
)
NAMES = st.lists(TEXT, min_size=1, max_size=3)
SCALAR = st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | st.floats(-1e300, 1e300) | TEXT
MAPPING = st.dictionaries(
    TEXT,
    st.recursive(
        SCALAR,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
OPTIONS = MAPPING.map(lambda m: {k: v for k, v in m.items() if k not in Adapter.__dataclass_fields__})


def some(**fields: st.SearchStrategy) -> st.SearchStrategy[dict]:
    """Return mappings that hold any part of *fields*."""
    return st.fixed_dictionaries({}, optional=fields)


ADAPTER = some(
    peft_type=st.sampled_from(names.PEFT_TYPES),
    r=st.integers(1, 65536),
    lora_alpha=st.integers(1, 1 << 20),
    lora_dropout=st.floats(0, 1, exclude_max=True),
    target_modules=TEXT | NAMES,
    use_dora=st.booleans(),
    use_rslora=st.booleans(),
    modules_to_save=st.just([]) | NAMES,
    bias=st.sampled_from(names.BIASES),
    options=OPTIONS,
)
QUANTIZATION = some(
    quant_type=st.sampled_from(names.QUANT_TYPES),
    compute_dtype=st.sampled_from(names.DTYPES),
    kbit_preparation=st.none() | st.booleans(),
)
FREEZE = st.fixed_dictionaries({"trainable": NAMES}) | st.fixed_dictionaries(
    {"last_n_layers": st.integers(1, 4096)}
)
METHOD = st.one_of(
    st.just({"method": "full"}),
    st.fixed_dictionaries({"method": st.just("freeze"), "freeze": FREEZE}),
    st.fixed_dictionaries({"method": st.just("lora")}, optional={"adapter": ADAPTER}),
    st.fixed_dictionaries(
        {"method": st.just("qlora")}, optional={"adapter": ADAPTER, "quantization": QUANTIZATION}
    ),
)
SHARDING = st.sampled_from(
    [{"sharding": sharding} for sharding in names.SHARDINGS]
    + [
        {"sharding": "zero2", "offload": {"optimizer": "cpu"}},
        {"sharding": "zero3", "offload": {"optimizer": "nvme", "parameters": "cpu"}},
    ]
)
REST = some(
    precision=some(weights=st.sampled_from(names.DTYPES), autocast=st.sampled_from([None, "bfloat16"])),
    attn_implementation=st.none() | st.sampled_from(names.ATTENTIONS),
    attention_mask=st.booleans(),
    packing=st.booleans(),
    loss=st.none() | st.sampled_from(names.LOSSES),
    optim=st.sampled_from(names.OPTIMIZERS),
    max_grad_norm=st.none() | st.floats(0, 1e9),
    per_device_train_batch_size=st.integers(1, 65536),
    gradient_accumulation_steps=st.integers(1, 65536),
    sequence_length=st.integers(1, 1 << 24),
    gradient_checkpointing=st.booleans(),
    gradient_checkpointing_kwargs=some(use_reentrant=st.booleans(), early_stop=st.booleans()),
    trainer=st.sampled_from(names.TRAINERS),
    hardware=some(gpu=st.none() | TEXT, gpus=st.integers(1, 4096), alloc_conf=st.none() | TEXT),
    training=st.none() | some(learning_rate=st.floats(0, 1000), seed=st.integers(0, 1 << 31)),
)
MODEL = st.fixed_dictionaries({"model": TEXT | MAPPING.filter(bool)})
MAPPINGS = st.tuples(MODEL, METHOD, SHARDING, REST).map(
    lambda parts: {k: v for part in parts for k, v in part.items()}
)


@given(MAPPINGS)
def test_any_valid_recipe_is_the_same_after_yaml_and_json(mapping):
    """Nothing is lost or turned into something else on the way out and in, by either format."""
    recipe = Recipe.from_mapping(mapping)
    plain = recipe.to_mapping()
    assert parse_recipe(recipe.to_yaml()) == recipe
    assert parse_recipe(json.dumps(plain)) == recipe
    assert parse_recipe(json.dumps(plain, ensure_ascii=False, indent=2)).to_mapping() == plain
    assert hash(parse_recipe(recipe.to_yaml())) == hash(recipe)


@given(MAPPINGS, st.sampled_from(names.METHODS))
def test_any_recipe_can_change_its_method(mapping, method):
    """A what-if needs no knowledge of the sections: those without use go, those needed come."""
    changes = {"method": method} | ({"freeze": {"last_n_layers": 2}} if method == "freeze" else {})
    changed = Recipe.from_mapping(mapping).replace(**changes)
    assert changed.method == method
    assert (changed.adapter is not None) == (method in ("lora", "qlora"))
    assert (changed.quantization is not None) == (method == "qlora")


def test_golden_files_say_the_same_in_yaml_and_json():
    """Every key away from its default: both files read as one recipe, which writes both files again."""
    recipe = read_recipe(GOLDEN / "every_key.yaml")
    assert recipe == read_recipe(GOLDEN / "every_key.json")
    assert recipe.to_yaml() == (GOLDEN / "every_key.yaml").read_text(encoding="utf-8")
    assert recipe.to_mapping() == json.loads((GOLDEN / "every_key.json").read_text(encoding="utf-8"))


def test_defaults_are_a_golden_file():
    """A default that changes changes what every short recipe means, so it must be seen."""
    assert Recipe(model="gpt2").to_yaml() == (GOLDEN / "defaults.yaml").read_text(encoding="utf-8")


def test_the_default_optimizer_is_that_of_transformers():
    """TrainingArguments picks the fused AdamW from torch 2.8 on, and we ask for a later one."""
    assert Recipe(model="gpt2").optim == "adamw_torch_fused"


def test_a_recipe_is_validated_however_it_is_made():
    """Sections may be types or mappings; a bad value in either is told by its key."""
    typed = Recipe(model="gpt2", adapter=Adapter(r=8), hardware=Hardware(gpus=2))
    assert typed == Recipe.from_mapping({"model": "gpt2", "adapter": {"r": 8}, "hardware": {"gpus": 2}})
    with pytest.raises(RecipeError, match=r"hardware\.gpus: given true, expected an integer"):
        Recipe(model="gpt2", hardware=Hardware(gpus=True))
    with pytest.raises(RecipeError, match=r"recipe: given a list of 1, expected a mapping"):
        Recipe.from_mapping(["model"])  # type: ignore[arg-type]


def test_a_recipe_cannot_be_changed():
    """Neither its fields nor what an inline model holds."""
    model = {"model_type": "llama"}
    recipe = Recipe(model=model)
    model["model_type"] = "gpt2"
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.method = "full"  # type: ignore[misc]
    with pytest.raises(TypeError):
        recipe.model["model_type"] = "gpt2"  # type: ignore[index]
    recipe.to_mapping()["model"]["model_type"] = "gpt2"
    assert recipe.model == {"model_type": "llama"}


def test_copies_and_processes_keep_it_equal():
    """A recipe can be a key, be copied, and cross to a worker process."""
    recipe = read_recipe(GOLDEN / "every_key.yaml")
    assert {recipe: 1}[copy.deepcopy(recipe)] == 1
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_replace_sets_dotted_keys_and_leaves_the_old_recipe_alone():
    """One change, many changes, whole sections."""
    recipe = Recipe(model="gpt2")
    changed = recipe.replace(optim="adamw_8bit", **{"adapter.r": 8, "hardware.gpus": 2})
    assert recipe == Recipe(model="gpt2")
    assert changed.adapter is not None
    assert (changed.optim, changed.adapter.r, changed.hardware.gpus) == ("adamw_8bit", 8, 2)
    assert recipe.replace(adapter=Adapter(r=4)) == recipe.replace(**{"adapter.r": 4})
    assert recipe.replace(method="qlora", quantization={"bits": 8}).quantization.bits == 8  # type: ignore[union-attr]


def test_replace_is_validated():
    """A what-if that cannot be is refused like a file that cannot be."""
    with pytest.raises(RecipeError, match=r"adapter\.rr: given an unknown key"):
        Recipe(model="gpt2").replace(**{"adapter.rr": 8})
    with pytest.raises(RecipeError, match="freeze: given nothing"):
        Recipe(model="gpt2").replace(method="freeze")


def test_with_changes_makes_the_sections_it_needs():
    """Nothing is validated, and a value in a section's place makes way."""
    assert with_changes({}, {"adapter.r": 8, "model": "m"}) == {"adapter": {"r": 8}, "model": "m"}
    assert with_changes({"adapter": None}, {"adapter.r": 8}) == {"adapter": {"r": 8}}
    assert with_changes({"hardware": Hardware(gpus=2)}, {"hardware.gpu": "T4"})["hardware"] == {
        "gpu": "T4",
        "gpus": 2,
        "nodes": 1,
        "alloc_conf": None,
    }


def test_repr_shows_what_was_chosen_and_makes_the_recipe_again():
    """Defaults are left out."""
    recipe = Recipe(model="gpt2", method="full", packing=True)
    assert repr(recipe) == "Recipe(model='gpt2', method='full', packing=True)"
