"""Repeats: what an operation gave before comes again, as if it had been run; all else is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

with warnings.catch_warnings():  # what libraries say of themselves while they are imported
    warnings.simplefilter("ignore")
    from tunesmith.memory import meta
    from tunesmith.memory.trace import trace

from tunesmith.architecture import parse_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.repeating import Repeats
from tunesmith.recipe import Recipe

ATEN = torch.ops.aten
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "num_hidden_layers": 2,
}


class Runs:
    """Counts how often an operation is run in earnest."""

    def __init__(self, func: Any) -> None:
        self.func, self.count = func, 0
        self._schema, self.tags = func._schema, func.tags

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it."""
        self.count += 1
        return self.func(*args, **kwargs)


def on_meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return a tensor without memory."""
    return torch.empty(shape, dtype=dtype, device="meta")


shapes = st.lists(st.integers(1, 5), min_size=2, max_size=3)
dtypes = st.sampled_from([torch.float32, torch.bfloat16, torch.int64])


@given(shape=shapes, left=dtypes, right=dtypes, turned=st.booleans())
def test_a_repeated_result_has_the_form_that_the_operation_gives(
    shape: list[int], left: torch.dtype, right: torch.dtype, turned: bool
) -> None:
    """Shape, strides and type are the operation's own, and each result has a storage of its own."""
    repeats, add = Repeats(), Runs(ATEN.add.Tensor)
    a, b = on_meta(*shape, dtype=left), on_meta(*shape, dtype=right)
    if turned:
        a, b = a.transpose(0, 1), b.transpose(0, 1)
    wanted = ATEN.add.Tensor(a, b)
    first, second = repeats(add, (a, b), {}), repeats(add, (a, b), {})
    assert add.count == 1
    for got in (first, second):
        assert (got.shape, got.stride(), got.dtype) == (wanted.shape, wanted.stride(), wanted.dtype)
        assert got.untyped_storage().nbytes() == wanted.untyped_storage().nbytes()
    assert first.untyped_storage()._cdata != second.untyped_storage()._cdata


def test_a_value_counts_with_its_type() -> None:
    """1, 1.0 and True are equal in Python, and promote to different types in PyTorch."""
    repeats, whole = Repeats(), on_meta(4, dtype=torch.int64)
    types = [repeats(ATEN.add.Scalar, (whole, value), {}).dtype for value in (1, 1.0, True)]
    assert types == [torch.int64, torch.float32, torch.int64]


def test_an_operation_in_place_returns_what_it_was_given() -> None:
    """The second tensor comes back from the second call, not the first one's."""
    repeats, add = Repeats(), Runs(ATEN.add_.Tensor)
    a, b, step = on_meta(4), on_meta(4), on_meta(4)
    assert repeats(add, (a, step), {}) is a
    assert repeats(add, (b, step), {}) is b
    assert add.count == 1


RUN_ALWAYS: list[tuple[str, Any, Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]]] = [
    ("a view", ATEN.t.default, lambda: ((on_meta(2, 3),), {})),
    ("a factory, whose device may be a default", ATEN.arange.default, lambda: ((4,), {"device": "meta"})),
    (
        "a result written where it was told",
        ATEN.mm.out,
        lambda: ((on_meta(2, 3), on_meta(3, 2)), {"out": on_meta(2, 2)}),
    ),
    ("a resized argument", ATEN.resize_.default, lambda: ((on_meta(2), [3]), {})),
    ("tensors of the host", ATEN.add.Tensor, lambda: ((torch.ones(2), torch.ones(2)), {})),
    ("a view by another name", ATEN._unsafe_view.default, lambda: ((on_meta(2, 3), [6]), {})),
]


@pytest.mark.parametrize(("what", "func", "call"), RUN_ALWAYS, ids=[what for what, _, _ in RUN_ALWAYS])
def test_what_forms_do_not_tell_is_run_each_time(what: str, func: Any, call: Callable[[], Any]) -> None:
    """An operation whose result has memory or values of something else is never answered from before."""
    repeats, runs = Repeats(), Runs(func)
    for _ in range(3):
        args, kwargs = call()
        result = repeats(runs, args, kwargs)
        if "out" in kwargs:
            assert result is kwargs["out"]
    assert runs.count == 3, what


RECIPES: list[dict[str, Any]] = [
    {"method": "full", "precision": {"weights": "float32", "autocast": "bfloat16"}},
    {"method": "qlora", "gradient_checkpointing": True, "precision": {"autocast": "bfloat16"}},
    {"method": "full", "sharding": "fsdp", "hardware": {"gpus": 4}},
]


@pytest.mark.parametrize("keys", RECIPES, ids=["autocast", "qlora", "fsdp"])
def test_a_step_is_the_same_as_if_every_operation_were_run(
    keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every storage, cause, event and count of work is equal, whether the step comes first or again."""
    architecture = parse_architecture(LLAMA, name="llama")
    recipe = Recipe.from_mapping({"model": "llama", "sequence_length": 64, **keys})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkeypatch.setattr(meta, "_repeats", lambda func, args, kwargs: func(*args, **kwargs))
        run = trace(architecture, recipe, gpu("A100-80GB"))
        monkeypatch.setattr(meta, "_repeats", Repeats())
        first, again = (trace(architecture, recipe, gpu("A100-80GB")) for _ in range(2))
    assert first == run
    assert again == run
