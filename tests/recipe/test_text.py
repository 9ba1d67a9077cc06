"""Texts are read by YAML 1.2's core schema or JSON's; hostile ones end in an error with a line, and soon."""

import json
import random
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tunesmith.errors import RecipeError
from tunesmith.recipe import parse_recipe, read_recipe
from tunesmith.recipe.text import MAX_BYTES, key_lines, read_text, write_yaml

CORPUS = Path(__file__).parent.parent / "corpus" / "recipe"
REFUSED = json.loads((CORPUS / "refused.json").read_text(encoding="utf-8"))

LARGE = {
    "flow sequences": ("model: " + "[" * 400 + "]" * 400, "32 levels"),
    "flow mappings": ("{a: " * 20_000, "32 levels"),
    "block mappings": ("".join("  " * i + f"k{i}:\n" for i in range(60)), "32 levels"),
    "block sequences": ("- " * 50_000, "32 levels"),
    "JSON objects": ('{"model":' * 3_000 + "1" + "}" * 3_000, "32 levels"),
    "JSON lists": ('{"model": ' + "[" * 100_000 + "]" * 100_000 + "}", "32 levels"),
    "many values": ("model: [" + "1, " * 12_000 + "1]", "10000 values"),
    "many JSON values": ('{"model": {"a": [' + "1," * 12_000 + "1]}}", "10000 values"),
    "many JSON keys": ("{" + ",".join(f'"k{i}": 1' for i in range(9_000)) + "}", "8990 more unknown keys"),
    "many names": (
        '{"model":"m","adapter":{"target_modules":[' + '"q",' * 5_000 + '"q"]}}',
        "a list of 5001",
    ),
    "300 KB": ("model: m\n#" + "x" * 300_000, "larger than 256 KB"),
    "300 KB of JSON": ('{"model": "' + "x" * 300_000 + '"}', "larger than 256 KB"),
    "a long name": ("model: " + "x" * 200_000, "at most 4096 characters"),
    "a long number": ("model: m\nsequence_length: " + "9" * 100_000, "line 2: the number is too large"),
    "a long JSON number": (
        '{"model": "m", "sequence_length": ' + "9" * 4_000 + "}",
        "an integer of 13288 bits",
    ),
    "a long version": ("%YAML 1." + "9" * 5_000 + "\n---\nmodel: m", "line 1: an escape or a directive"),
    "many directives": ("%X y\n" * 40_000 + "--- {}", "model"),
    "many documents": ("---\n" * 60_000, "a second document"),
    "many comments": ("#\n" * 120_000, "given null"),
    "NUL": ("model: m\noptim: sgd\x00", "line 2: a control character"),
    "a lone surrogate": ("model: \ud800", "a control character"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_the_corpus_is_refused_for_its_reason(name):
    """Tags, anchors, merges, duplicates, interpolation, YAML 1.1's surprises: each has its line."""
    with pytest.raises(RecipeError) as caught:
        read_recipe(CORPUS / "refused" / name)
    assert REFUSED[name] in str(caught.value)
    assert name in str(caught.value)


def test_every_file_of_the_corpus_is_listed():
    """A file without an expectation would test nothing."""
    assert sorted(REFUSED) == sorted(path.name for path in (CORPUS / "refused").iterdir())


@pytest.mark.parametrize(("text", "says"), LARGE.values(), ids=LARGE)
def test_large_and_deep_texts_are_refused(text, says):
    """Bounds hold on size, depth, values and digits, whichever syntax they come in."""
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 10_000


def test_odd_but_honest_yaml_is_read():
    """Block and flow style, quotes, comments, a directive, signs and spellings."""
    recipe = read_recipe(CORPUS / "accepted.yaml")
    assert recipe.model == "Qwen/Qwen2.5-7B"
    assert recipe.method == "qlora"
    assert recipe.adapter is not None
    assert recipe.adapter.r == 8
    assert recipe.adapter.target_modules == ("q_proj", "v_proj")
    assert recipe.precision.autocast is None
    assert recipe.training is not None
    assert recipe.training.learning_rate == 1e-4
    assert recipe.training.warmup_ratio == 0.03


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("True", True),
        ("false", False),
        ("no", "no"),
        ("nULL", "nULL"),
        ("on", "on"),
        ("012", 12),
        ("-7", -7),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1e-4", 1e-4),
        ("1.", 1.0),
        (".5E+3", 500.0),
        ("1e", "1e"),
        (".nan", ".nan"),
        ("2001-12-14", "2001-12-14"),
        ("'1e-4'", "1e-4"),
        ('"null"', "null"),
        ("|\n  null", "null"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, value):
    """What YAML 1.1 readers would turn into dates, octals and booleans stays text."""
    assert read_text(f"key: {text}", "recipe") == {"key": value}


def test_a_file_of_the_largest_size_is_read():
    """The bound is on more than 256 KB."""
    text = "model: m\n#"
    assert parse_recipe(text + "x" * (MAX_BYTES - len(text))).model == "m"


def test_lines_are_those_of_the_keys():
    """Block, flow and JSON texts give the line on which each key's value starts."""
    text = "model: m\nadapter:\n  r: 8\n  target_modules:\n  - q\n  - v\nhardware: {gpu: x,\n  gpus: 2}\n"
    assert key_lines(text) == {
        "model": 1,
        "adapter": 3,
        "adapter.r": 3,
        "adapter.target_modules": 5,
        "hardware": 7,
        "hardware.gpu": 7,
        "hardware.gpus": 8,
    }
    assert key_lines('{"model": "m",\n "optim": "sgd"}') == {"model": 1, "optim": 2}


@settings(max_examples=300)
@given(
    st.text(
        alphabet=st.sampled_from(
            "model: {}[],&*!<>|#'\"\\%@`-?~\n\t \r0123456789.e+xX_u$é\u2028\ufeff\x85\x00"
        )
    )
)
@example("{model: x, ? : y}")
@example("? \n? \n")
@example("model: >9999\n x")
@example('"\\xZZ"')
@example('{"\\ud800": 1}')
@example('{"\\u001b[31m": 1, "model": "\\u001b[31m"}')
@example('"\\e[31m": &a 1')
@example("!<tag:%1B> 1")
def test_any_text_is_a_recipe_or_a_recipe_error(text):
    """Whatever is written, nothing else comes out, and the message is fit for any terminal."""
    try:
        recipe = parse_recipe(text)
    except RecipeError as error:
        assert all(line.isprintable() for line in str(error).split("\n"))
    else:
        assert parse_recipe(recipe.to_yaml()) == recipe


@given(st.binary(max_size=200))
def test_any_bytes_in_json_position_are_judged(data):
    """The JSON path answers as the YAML path does: a recipe or a RecipeError."""
    text = '{"model": "m", ' + data.decode("utf-8", "replace") + "}"
    try:
        assert parse_recipe(text).model == "m"
    except RecipeError as error:
        assert str(error)


SEEDS = [path.read_bytes().decode("utf-8") for path in sorted((CORPUS / "refused").iterdir())] + [
    (CORPUS.parent.parent / "golden" / "recipe" / name).read_text(encoding="utf-8")
    for name in ("every_key.yaml", "every_key.json", "defaults.yaml")
]
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "\n",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!str ",
    "<<",
    "|",
    ">",
    '"',
    "'",
    "\\U0011FFFF",
]
PIECES += [
    "%YAML 1.1\n",
    "---\n",
    "null",
    "true",
    "1e9999",
    "\t",
    "9" * 30,
    "model",
    "adapter",
    "NaN",
    "${x}",
    "\x00",
]


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_any_mutation_of_a_known_text_is_a_recipe_or_a_recipe_error(count):
    """Good and hostile files, cut and spliced at random, end as every text must."""
    dice = random.Random(count)
    judged = {True: 0, False: 0}
    for _ in range(count):
        text = dice.choice(SEEDS)
        for _ in range(dice.randint(1, 6)):
            start = dice.randint(0, len(text))
            end = start + dice.choice((0, 0, 1, 3, 20))
            text = text[:start] + dice.choice([*PIECES, text[end : end + 30]]) + text[end:]
        try:
            recipe = parse_recipe(text)
        except RecipeError as error:
            assert all(line.isprintable() for line in str(error).split("\n"))
            judged[False] += 1
        else:
            assert parse_recipe(recipe.to_yaml()) == recipe
            judged[True] += 1
    assert min(judged.values()) > count / 200


SCALARS = st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | st.floats(-1e300, 1e300)
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12) | st.sampled_from(
    [
        "1e6",
        "0o7",
        "0x1",
        "yes",
        "no",
        "null",
        "~",
        "",
        "=",
        "<<",
        "1:30",
        "08",
        "1_0",
        ".inf",
        "+1",
        "- a",
        "a: b",
    ]
)
MAPPINGS = st.dictionaries(
    TEXTS,
    st.recursive(SCALARS | TEXTS, lambda x: st.lists(x, max_size=3) | st.dictionaries(TEXTS, x, max_size=3)),
)


@given(MAPPINGS)
def test_what_is_written_is_read_again(mapping):
    """Texts that look like numbers, booleans, merges or markup survive, here and in a YAML 1.1 reader."""
    text = write_yaml(mapping)
    assert read_text(text, "recipe") == mapping
    assert yaml.safe_load(text) == mapping
