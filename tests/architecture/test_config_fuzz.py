"""Configs of real models, broken at random: each is read or refused, and nothing else can happen.

20,000 mutations by default; TUNESMITH_FUZZ=1000000 for a longer run, which also takes another seed.
An input that breaks an assertion is printed: put it into tests/corpus/config.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tunesmith.architecture import catalogue, parse_architecture
from tunesmith.architecture.bounds import MAX_DEPTH
from tunesmith.architecture.dimensions import limit_of
from tunesmith.architecture.parsing import EXECUTABLE_KEYS
from tunesmith.errors import ArchitectureError

MUTATIONS = int(os.environ.get("TUNESMITH_FUZZ", "20000"))
SEEDS = [dict(entry.config) for entry in catalogue().values()]
KEYS = sorted({key for config in SEEDS for key in config})

VALUES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    64,
    -64,
    1000,
    1001,
    10**6,
    10**7,
    2**31,
    2**53,
    2**63,
    2**64,
    10**30,
]
VALUES += [
    0.0,
    -0.5,
    1e308,
    "",
    "64",
    "True",
    "llama",
    "\n",
    "../..",
    "evil/repo",
    "\x00",
    "\u202e",
    "é",
    "x" * 70_000,
]
VALUES += [[], {}, [[]], [1, 2], {"a": 1}, [None], {"auto_map": {}}, [{"_x": 1}], {"model_type": "x\ny"}]
RAW = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1e-400",
    "9" * 5000,
    "-" + "9" * 70,
    "0." + "1" * 5000,
]
RAW += [
    '"\\ud800"',
    '"\\udc00x"',
    '{"\\ud800":1}',
    '{"a":1,"a":2}',
    '{"__float__":"NaN"}',
    "[" * 31 + "]" * 31,
]
RAW += [
    "[" * 40,
    "[" * 40 + "]" * 40,
    "{" * 3,
    "0x10",
    "01",
    "1_000",
    "'a'",
    "nul",
    "",
    ",",
    '"\\x"',
    '"\\u12"',
]
HOSTILE = [
    *sorted(EXECUTABLE_KEYS),
    "_target_",
    "_name_or_path",
    "__class__",
    "\ud800",
    "k" * 300,
    "a\x1b[2J",
    "",
]


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key or index) of *tree*."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield tree, key
        yield from places(value)


def replace(tree: Any, rng: random.Random) -> str:
    container, key = rng.choice(list(places(tree)))
    container[key] = rng.choice(VALUES)
    return json.dumps(tree)


def replace_raw(tree: Any, rng: random.Random) -> str:
    container, key = rng.choice(list(places(tree)))
    container[key] = "@here@"
    return json.dumps(tree).replace('"@here@"', rng.choice(RAW))


def add_hostile_key(tree: Any, rng: random.Random) -> str:
    objects = [tree, *(box[key] for box, key in places(tree) if isinstance(box[key], dict))]
    rng.choice(objects)[rng.choice(HOSTILE)] = rng.choice(VALUES)
    return json.dumps(tree)


def borrow_key(tree: Any, rng: random.Random) -> str:
    donor = rng.choice(SEEDS)
    key = rng.choice(KEYS)
    tree[key] = donor.get(key, rng.choice(VALUES))
    return json.dumps(tree)


def delete(tree: Any, rng: random.Random) -> str:
    container, key = rng.choice(list(places(tree)))
    del container[key]
    return json.dumps(tree)


def scale(tree: Any, rng: random.Random) -> str:
    numbers = [(box, key) for box, key in places(tree) if type(box[key]) in (int, float)]
    if numbers:
        container, key = rng.choice(numbers)
        container[key] = rng.choice([-1, 2, 0.5, 7, 10**3, 10**9, 10**400]) * int(container[key])
    return json.dumps(tree)


def nest(tree: Any, rng: random.Random) -> str:
    levels = rng.choice([1, 5, 29, 31, 32, 33, 40])
    container, key = rng.choice(list(places(tree)))
    inner = container[key]
    for _ in range(levels):
        inner = (
            [inner]
            if rng.random() < 0.5
            else {rng.choice(["a", "text_config", "quantization_config"]): inner}
        )
    container[key] = inner
    return json.dumps(tree)


def twice(tree: Any, rng: random.Random) -> str:
    text = json.dumps(tree)
    key = rng.choice(list(tree))
    return text[:-1] + f", {json.dumps(key)}: {json.dumps(rng.choice(VALUES))}}}"


def cut(tree: Any, rng: random.Random) -> str:
    text = json.dumps(tree)
    start = rng.randrange(len(text))
    return text[:start] + text[start + rng.choice([1, 2, 10, len(text)]) :]


def spoil(tree: Any, rng: random.Random) -> bytes:
    data = bytearray(json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    for _ in range(rng.choice([1, 1, 3, 20])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


MUTATORS: list[Callable[[Any, random.Random], str | bytes]] = [
    replace, replace_raw, add_hostile_key, borrow_key, delete, scale, nest, twice, cut, spoil,
]  # fmt: skip


def check_accepted(text: str) -> None:
    """Assert that what was accepted is clean, within bounds, and accepted again unchanged."""
    config = json.loads(text)
    depth, level = 0, [config]
    while level:
        depth += 1
        level = [
            value
            for box in level
            for value in (box.values() if isinstance(box, dict) else box)
            if isinstance(value, dict | list)
        ]
    assert depth <= MAX_DEPTH
    for box, key in places(config):
        if isinstance(key, str):
            assert not key.startswith("_")
            assert key not in EXECUTABLE_KEYS
            limit = limit_of(key)
            if limit and type(box[key]) is int:
                assert limit.low <= box[key] <= limit.high
    again = parse_architecture(config)
    assert again.warnings == ()
    assert again.config_json == text


def test_a_broken_config_is_read_or_refused() -> None:
    rng = random.Random(MUTATIONS)
    texts = [json.dumps(config) for config in SEEDS]
    outcomes: Counter[tuple[str, str]] = Counter()
    for _ in range(MUTATIONS):
        mutate = rng.choice(MUTATORS)
        data = mutate(json.loads(rng.choice(texts)), rng)
        try:
            architecture = parse_architecture(data)
            check_accepted(architecture.config_json)
            outcomes[mutate.__name__, "read"] += 1
        except ArchitectureError as error:
            assert len(str(error)) < 10_000
            assert all(line.isprintable() for line in str(error).splitlines())
            outcomes[mutate.__name__, "refused"] += 1
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} from {data[:2000]!r}") from error
    for mutate in MUTATORS:  # one that is always refused, or never, would test half of what it should
        assert mutate is twice or outcomes[mutate.__name__, "read"] > 0, mutate.__name__
        assert outcomes[mutate.__name__, "refused"] > 0, mutate.__name__


def test_an_unbroken_config_is_always_read() -> None:
    for config in SEEDS:
        assert parse_architecture(json.dumps(config)).to_dict() == config
