"""A config in, an Architecture or every problem at once out."""

import enum
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import parse_architecture
from tunesmith.architecture.bounds import MAX_NODES
from tunesmith.architecture.parsing import EXECUTABLE_KEYS, Cleaner
from tunesmith.errors import ArchitectureError

LLAMA = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.sampled_from(["hidden_size", "model_type", "auto_map", "text_config", "n_layer", "_x"]) | st.text()
TREES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=15
)


def test_all_problems_are_reported_at_once_each_with_key_value_and_limit() -> None:
    with pytest.raises(ArchitectureError) as caught:
        parse_architecture(
            {
                "model_type": "a b",
                "n_layer": 10**6,
                "text_config": {"vocab_size": "64"},
                "x": [0, float("nan")],
            },
            source="folder/config.json",
        )
    assert str(caught.value).splitlines() == [
        "folder/config.json cannot be used:",
        "  model_type: 'a b' given, expected 1 to 64 of a-z 0-9 _ . -",
        "  n_layer: 1000000 given, expected an integer from 1 to 1,000",
        "  text_config.vocab_size: '64' given, expected an integer from 1 to 4,000,000",
        "  x[1]: nan is not a finite number",
        "Correct these values, or take config.json from the model's own repository.",
    ]


def test_a_thousand_problems_make_a_message_of_twenty() -> None:
    with pytest.raises(ArchitectureError, match="and 981 more") as caught:
        parse_architecture({"x": [float("inf")] * 1000})
    assert len(str(caught.value).splitlines()) == 23


def test_the_walk_stops_after_a_thousand_problems() -> None:
    cleaner = Cleaner()
    cleaner.clean({"x": [{"n_layer": -1, "n_head": 0}] * 15_000})
    assert len(cleaner.problems) <= 1_002
    assert cleaner.nodes <= 2_000


def test_the_labels_of_the_largest_imagenet_are_read_both_ways() -> None:
    labels = {str(index): f"n{index:08}" for index in range(21_841)}
    config = {**LLAMA, "id2label": labels, "label2id": {name: int(index) for index, name in labels.items()}}
    assert parse_architecture(config).to_dict() == config


def test_nearly_a_thousand_warnings_make_twenty() -> None:
    warnings = parse_architecture({**LLAMA, **{f"_{index}": 0 for index in range(999)}}).warnings
    assert len(warnings) == 21
    assert warnings[-1] == "and 979 more"


def test_a_config_of_nothing_but_keys_to_drop_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="the 1,000th key that would have to be dropped"):
        parse_architecture({**LLAMA, **{f"_{index}": 0 for index in range(50_000)}})


@pytest.mark.parametrize("key", sorted(EXECUTABLE_KEYS))
def test_a_key_that_names_code_is_dropped_at_every_depth_with_a_warning(key: str) -> None:
    for wrap in (lambda it: it, lambda it: {"text_config": it}, lambda it: {"a": [[{"b": it}]]}):
        for spelling in (key, f"_{key}", key.upper(), f" {key} "):
            architecture = parse_architecture({**LLAMA, **wrap({spelling: {"AutoModel": "evil/repo--m.E"}})})
            assert "evil" not in architecture.config_json
            (warning,) = architecture.warnings
            assert spelling.strip() in warning
            assert "names code" in warning


def test_a_tokenizer_is_dropped_from_a_quantization_config_only() -> None:
    architecture = parse_architecture(
        {**LLAMA, "tokenizer": "mine", "quantization_config": {"tokenizer": "e"}}
    )
    assert architecture.to_dict() == {**LLAMA, "tokenizer": "mine", "quantization_config": {}}
    assert architecture.warnings == (
        "quantization_config.tokenizer was dropped: it names a second repository, and none is opened.",
    )


@pytest.mark.parametrize("end", [float("inf"), {"__float__": "Infinity"}])
def test_a_range_that_is_open_by_default_is_dropped(end: object) -> None:
    architecture = parse_architecture({**LLAMA, "time_step_limit": (0.0, end)})
    assert architecture.to_dict() == LLAMA
    assert "default" in architecture.warnings[0]


@pytest.mark.parametrize(
    "value", [[1.0, float("inf")], [0.0, float("-inf")], [0.0, {"__float__": "NaN"}], [float("inf")]]
)
def test_any_other_infinite_range_is_refused(value: object) -> None:
    with pytest.raises(ArchitectureError, match="time_step_limit"):
        parse_architecture({**LLAMA, "time_step_limit": value})


class Colour(enum.IntEnum):
    RED = 64


@pytest.mark.parametrize("value", [b"64", {1, 2}, object(), 1j, Colour.RED, type("Text", (str,), {})("x")])
def test_an_inline_mapping_holds_plain_values_only(value: object) -> None:
    with pytest.raises(ArchitectureError, match=r"anything: a \w+ given, expected a plain JSON value"):
        parse_architecture({**LLAMA, "anything": value})


def test_an_inline_key_is_text() -> None:
    with pytest.raises(ArchitectureError, match="the key 1 is not text"):
        parse_architecture({**LLAMA, 1: 2})  # type: ignore[dict-item]


def test_tuples_and_other_mappings_are_read_as_lists_and_objects() -> None:
    class Other(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return {"a": (1, 2)}[key]

        def __iter__(self) -> Iterator[str]:
            return iter(["a"])

        def __len__(self) -> int:
            return 1

    assert parse_architecture({**LLAMA, "x": Other()}).to_dict()["x"] == {"a": [1, 2]}


def test_a_config_that_contains_itself_is_refused_after_a_bounded_walk() -> None:
    knot: dict[str, Any] = dict(LLAMA)
    knot["a"] = knot["b"] = knot["c"] = [knot, knot, knot]
    cleaner = Cleaner()
    cleaner.clean(knot)
    assert cleaner.problems
    assert cleaner.nodes <= MAX_NODES + 100
    with pytest.raises(ArchitectureError, match="deeper than 32") as caught:
        parse_architecture(knot)
    assert len(str(caught.value)) < 4_000


def test_the_walk_stops_at_the_limit_of_values_and_of_characters() -> None:
    for config in (
        {"a": [0] * 10**6},
        {"a": dict.fromkeys(map(str, range(10**6)))},
        {"a": ["x" * 60_000] * 10**4},
    ):
        cleaner = Cleaner()
        cleaner.clean(config)
        assert cleaner.nodes <= MAX_NODES + 100
        assert cleaner.characters <= (1 << 20) + 65_536
        assert sum("ends here" in line for line in cleaner.problems) == 1


def test_what_is_within_the_limit_of_values_is_read() -> None:
    assert len(parse_architecture({**LLAMA, "a": [0] * (MAX_NODES - 100)}).to_dict()["a"]) == MAX_NODES - 100


@given(TREES)
def test_any_mapping_is_read_or_refused_with_a_printable_message(tree: object) -> None:
    config = tree if isinstance(tree, dict) else {"model_type": "llama", "x": tree}
    try:
        architecture = parse_architecture(config)
    except ArchitectureError as error:
        assert all(line.isprintable() for line in str(error).splitlines())
    else:
        again = parse_architecture(architecture.to_dict())
        assert again == architecture
        assert again.warnings == ()


@pytest.mark.parametrize("value", [None, 1, [], "[]", b"", "1"])
def test_what_is_no_config_at_all_is_refused(value: Any) -> None:
    with pytest.raises(ArchitectureError, match=r"inline (is not JSON|holds .*, expected a config)"):
        parse_architecture(value)


def test_a_name_and_a_source_are_made_safe_to_print() -> None:
    architecture = parse_architecture(LLAMA, name="a\x1b[2J\u202eb\nc", source="x\ny")
    assert architecture.name == r"a\x1b[2J\u202eb\nc"
    assert architecture.source == r"x\ny"


def test_text_bytes_and_mapping_give_the_same() -> None:
    text = json.dumps(LLAMA)
    assert parse_architecture(text) == parse_architecture(text.encode()) == parse_architecture(LLAMA)
