"""read: a stranger's file as a recipe, every key's origin beside it, and nothing believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import RecipeError, TunesmithError, UnsupportedError
from tunesmith.recipe import flags
from tunesmith.recipe.text import MAX_BYTES
from tunesmith.trainers import TRAINERS, read, read_path

AXOLOTL = """\
base_model: NousResearch/Llama-3.2-1B
load_in_8bit: true
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
datasets:
  - path: mhenrichsen/alpaca_2k_test
    type: alpaca
sequence_len: 2048
sample_packing: true
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 1
optimizer: adamw_bnb_8bit
lr_scheduler: cosine
learning_rate: 0.0002
bf16: auto
gradient_checkpointing: true
flash_attention: true
loging_steps: 1
special_tokens:
"""
"""After axolotl-ai-cloud/axolotl@v0.19.0:examples/llama-3/lora-1b.yml, with a slip of the pen."""


def test_every_key_says_where_it_comes_from() -> None:
    """Stated keys name file and line, the trainer's defaults its source; the rest is assumed."""
    back = read(AXOLOTL, source="lora-1b.yml")
    found = {origin.key: origin for origin in back.provenance}
    assert back.trainer == "axolotl" and back.version == "axolotl==0.19.0"
    batch = found["per_device_train_batch_size"]
    assert (batch.how, batch.value, batch.where) == ("stated", 2, "lora-1b.yml, line 12: micro_batch_size")
    assert batch.where_zh == "lora-1b.yml 第 12 行：micro_batch_size"
    dropout = found["adapter.lora_dropout"]
    assert (dropout.how, dropout.value) == ("defaulted", 0.0)
    assert dropout.where == "axolotl==0.19.0: src/axolotl/utils/schemas/peft.py"
    assert found["precision.autocast"].how == "assumed" and "Ampere" in found["precision.autocast"].where
    assert found["offload.optimizer"].how == "assumed"
    absent = ("freeze.", "deepspeed.", "parallel.")
    assert set(found) == {flag.key for flag in flags() if not flag.key.startswith(absent)}


def test_the_values_are_those_of_the_recipe() -> None:
    """Each origin's value is the recipe's own."""
    back = read(AXOLOTL)
    mapping = back.recipe.to_mapping()
    for origin in back.provenance:
        section, _, key = origin.key.rpartition(".")
        assert origin.value == (mapping[section][key] if section else mapping[key]), origin.key


def test_keys_that_do_not_matter_are_listed_and_unknown_ones_get_a_near_miss() -> None:
    """What touches neither memory nor time is left aside by name; what is unknown is warned of."""
    back = read(AXOLOTL, source="lora-1b.yml")
    assert back.ignored == ("datasets", "special_tokens")
    told = [warning.english for warning in back.warnings]
    assert any("line 21: loging_steps" in each and "Did you mean logging_steps?" in each for each in told)


def test_changes_beside_the_file_go_before_it() -> None:
    """A change wins over the file, and its origin is the command line."""
    back = read(AXOLOTL, changes={"sequence_length": 512, "hardware.gpu": "T4-16GB", "method": "full"})
    assert (back.recipe.sequence_length, back.recipe.method) == (512, "full")
    assert back.recipe.adapter is None and back.recipe.quantization is None
    origins = {origin.key: origin.where for origin in back.provenance}
    assert origins["sequence_length"] == origins["hardware.gpu"] == "asked for beside the file"


def test_what_a_file_must_say_can_be_given_beside_it() -> None:
    """ms-swift takes the length from the model where the file is silent; it must then be given."""
    text = "model: Qwen/Qwen2.5-0.5B\ntuner_type: lora\n"
    with pytest.raises(RecipeError, match="does not say sequence_length"):
        read(text)
    assert read(text, changes={"sequence_length": 4096}).recipe.sequence_length == 4096


def test_all_mistakes_are_told_at_once_with_their_lines() -> None:
    """Three wrong values are three lines of one message."""
    text = AXOLOTL.replace("lora_r: 16", "lora_r: many").replace(
        "micro_batch_size: 2", "micro_batch_size: -1"
    )
    with pytest.raises(RecipeError) as caught:
        read(text.replace("lr_scheduler: cosine", "lr_scheduler: cosin"), source="a.yml")
    assert "a.yml has 3 problems" in str(caught.value)
    for line, told in ((4, "lora_r"), (12, "micro_batch_size"), (16, "lr_scheduler")):
        assert f"{told} (line {line})" in str(caught.value)


# -- files that a file names ------------------------------------------------------------------------


def test_a_file_beside_it_is_read(tmp_path: Path) -> None:
    """DeepSpeed's file is found below the folder of the file that names it; origins name it."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "ds.json").write_text('{"zero_optimization":\n {"stage": 2}}', encoding="utf-8")
    place = tmp_path / "a.yml"
    place.write_text(AXOLOTL + "deepspeed: conf/ds.json\n", encoding="utf-8")
    back = read_path(place)
    assert back.recipe.sharding == "zero2"
    found = {origin.key: origin.where for origin in back.provenance}
    assert found["sharding"] == "conf/ds.json, line 2: zero_optimization.stage"
    assert found["deepspeed.reduce_bucket_size"] == "deepspeed==0.19.8: deepspeed/runtime/zero/config.py"


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret.json", "a/../../b.json", "C:\\\\..\\\\x.json"])
def test_no_file_above_it_is_read(name: str, tmp_path: Path) -> None:
    """A path that is absolute or climbs is refused, whatever is there."""
    (tmp_path / "secret.json").write_text('{"zero_optimization": {"stage": 3}}', encoding="utf-8")
    (tmp_path / "inner").mkdir()
    place = tmp_path / "inner" / "a.yml"
    place.write_text(f"{AXOLOTL}deepspeed: {name!r}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"deepspeed \(line 23\)"):
        read_path(place)


@pytest.mark.parametrize(
    ("name", "sharding", "offload"),
    [
        ("deepspeed_configs/zero3_bf16_cpuoffload_all.json", "zero3", "cpu"),
        ("examples/deepspeed/ds_z2_config.json", "zero2", "none"),
        ("zero1", "zero1", "none"),
        ("examples/deepspeed/ds_z3_offload_config.json", "zero3", "cpu"),
    ],
)
def test_the_files_that_trainers_ship_are_known_by_name(name: str, sharding: str, offload: str) -> None:
    """Where such a file is not at hand, its name says the stage, which is then assumed, not stated."""
    back = read(f"{AXOLOTL}deepspeed: {name}\n")
    assert (back.recipe.sharding, back.recipe.offload.optimizer) == (sharding, offload)
    assert next(origin for origin in back.provenance if origin.key == "sharding").how == "assumed"


@pytest.mark.parametrize(("gpus", "sharding"), [(1, "none"), (4, "ddp")])
def test_cards_beside_a_file_without_sharding_repeat_the_model(gpus: int, sharding: str) -> None:
    """Several cards and no word of sharding are data parallelism, assumed and said so."""
    back = read(AXOLOTL, changes={"hardware.gpus": gpus})
    assert back.recipe.sharding == sharding
    assert next(origin for origin in back.provenance if origin.key == "sharding").how == "assumed"


def test_an_offload_of_parameters_alone_is_known_by_name() -> None:
    """Axolotl's zero3_bf16_cpuoffload_params.json leaves the optimizer on the card."""
    recipe = read(f"{AXOLOTL}deepspeed: deepspeed_configs/zero3_bf16_cpuoffload_params.json\n").recipe
    assert (recipe.offload.optimizer, recipe.offload.parameters) == ("none", "cpu")


# -- hostile files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "just words",
        "base_model: !!python/object/apply:os.system [ls]",
        "base_model: &a x\nadapter: *a",
        "base_model: gpt2\nbase_model: gpt2",
        "base_model: {a: {b: 1}}",
        "base_model: 5",
        "a: 1\n" * 3,
        "{" * 2000,
        "base_model: x\n" + "k: [" * 500,
        '{"zero_optimization": {"stage": NaN}}',
        "base_model: 'a${HOME}'",
    ],
)
def test_a_hostile_file_is_refused_as_one_of_ours_would_be(text: str) -> None:
    """No tags, aliases, doubled keys, depth or wrong types; each is a mistake that is told."""
    with pytest.raises(RecipeError):
        read(text, source="bad.yml")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """No more is read than a recipe may hold."""
    place = tmp_path / "big.yml"
    place.write_bytes(b"base_model: x\n# " + b"x" * MAX_BYTES)
    with pytest.raises(RecipeError, match="larger than"):
        read_path(place)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_what_is_no_text_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """Binary files and folders are told, not read."""
    place = tmp_path / "x.yml"
    place.mkdir() if content is None else place.write_bytes(content)
    with pytest.raises(RecipeError, match=r"not UTF-8|not a file"):
        read_path(place)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 1 << 40),
    st.floats(allow_nan=False, width=16),
    st.text(max_size=6),
)


@pytest.mark.parametrize("trainer", TRAINERS)
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_whatever_the_values_are_it_is_a_recipe_or_a_mistake(trainer: str, data: st.DataObject) -> None:
    """Any value under any key that is looked at ends in a recipe or in an error that a user can mend."""
    import json

    from tunesmith.trainers.importing import DEFAULTS

    keys = sorted({name for table in DEFAULTS[trainer].tables.values() for name in table})
    values = st.one_of(
        SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
    )
    chosen = data.draw(st.dictionaries(st.sampled_from(keys), values, max_size=6))
    nested: dict[str, object] = {"filler": 1}
    for key, value in chosen.items():
        section, _, name = key.partition(".")
        inner = nested.get(section)
        if not name:
            nested[key] = value
        else:
            nested[section] = {**(inner if isinstance(inner, dict) else {}), name: value}
    try:
        back = read(json.dumps(nested), trainer=trainer, changes={"model": "gpt2", "sequence_length": 64})
    except (RecipeError, UnsupportedError) as error:
        assert isinstance(error, TunesmithError) and str(error)
    else:
        assert back.recipe.sequence_length == 64


def test_a_file_that_tells_no_trainer_asks_for_it() -> None:
    """Keys that no trainer has end in a question, with every trainer's name."""
    with pytest.raises(RecipeError, match="Say which with --from-trainer") as caught:
        read("alpha: 1\nbeta: 2\n")
    assert all(trainer in str(caught.value) for trainer in TRAINERS)
    with pytest.raises(RecipeError, match="expected one of trl"):
        read("alpha: 1\n", trainer="nemo")
