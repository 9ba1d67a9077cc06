"""A question asked again is answered from disk: the same answer, no step, no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from tunesmith import api
from tunesmith.memory import cache
from tunesmith.memory.estimate import Estimate
from tunesmith.memory.keeping import packed_estimate, packed_timeline, unpacked_estimate, unpacked_timeline

QUESTION: dict[str, Any] = {
    "model": {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 1000,
        "num_hidden_layers": 6,
    },
    "method": "full",
    "sequence_length": 256,
    "gradient_checkpointing": False,
    "hardware": {"gpu": "T4-16GB"},
}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    before, own = os.environ.get("TUNESMITH_CACHE"), tmp_path_factory.mktemp("kept")
    os.environ["TUNESMITH_CACHE"] = str(own)
    yield own
    if before is None:
        del os.environ["TUNESMITH_CACHE"]
    else:
        os.environ["TUNESMITH_CACHE"] = before


def asked(**options: Any) -> Estimate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return api.estimate(QUESTION, **options)


@pytest.fixture(scope="module")
def answer(folder: Path) -> Estimate:
    return asked(engine="trace", suggest=True)


def test_the_kept_answer_is_the_answer(answer: Estimate) -> None:
    again = asked(suggest=True)
    assert again == answer
    assert again.engine == "trace"
    assert again.timeline == answer.timeline


def test_an_answer_without_its_timeline_says_the_same(answer: Estimate) -> None:
    assert asked(timeline=False).timeline is None
    assert asked(timeline=False, suggest=True).to_mapping() == answer.to_mapping()


def test_a_kept_answer_loads_neither_torch_nor_transformers(answer: Estimate) -> None:
    code = (
        "import json, sys; from tunesmith.api import estimate\n"
        "e = estimate(json.loads(sys.argv[1]), suggest=True)\n"
        "heavy = [name for name in ('torch', 'transformers') if name in sys.modules]\n"
        "print(e.peak.allocated_bytes, len(e.suggestions), heavy)"
    )

    told = subprocess.run(
        [sys.executable, "-c", code, json.dumps(QUESTION)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.split(maxsplit=2) == [
        str(answer.peak.allocated_bytes),
        str(len(answer.suggestions)),
        "[]\n",
    ]


def test_the_ledger_engine_gives_the_traced_figures(answer: Estimate) -> None:
    ledger = asked(engine="ledger")
    assert (ledger.engine, ledger.peak, ledger.parts) == ("ledger", answer.peak, answer.parts)
    assert ledger.phases == answer.phases


def test_suggestions_are_ranked_computed_and_less_than_the_answer(answer: Estimate) -> None:
    saved = [each.saved_bytes for each in answer.suggestions]
    assert saved == sorted(saved, reverse=True)
    assert saved
    assert all(s.process_bytes + s.saved_bytes == answer.peak.process_bytes for s in answer.suggestions)


def test_a_suggestion_says_what_an_estimate_of_the_changed_recipe_says(answer: Estimate) -> None:
    best = next(each for each in answer.suggestions if "gradient_checkpointing" in each.change)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = api.estimate(answer.recipe.replace(**best.change))
    assert (best.allocated_bytes, best.reserved_bytes) == (
        changed.peak.allocated_bytes,
        changed.peak.reserved_bytes,
    )
    assert best.fits == changed.fits


def test_packed_answers_and_timelines_come_back_as_they_were(answer: Estimate) -> None:
    assert answer.timeline is not None
    assert unpacked_timeline(packed_timeline(answer.timeline)) == answer.timeline
    back = unpacked_estimate(packed_estimate(answer), recipe=answer.recipe, gpu=answer.gpu)
    assert back is not None
    assert back.to_mapping() == answer.to_mapping()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("peak", {"allocated_bytes": 1, "reserved_bytes": 1, "process_bytes": 1}),
        ("peak", {"allocated_bytes": "1", "reserved_bytes": 1, "process_bytes": 1}),
        ("parts", {"weights": -1}),
        ("parts", {"gold": 1}),
        ("phases", [1]),
        ("fits", "yes"),
        ("fits", None),
        ("engine", "guess"),
        ("versions", []),
        ("assumptions", ["x" * 100_000]),
        ("suggestions", [{"change": {}}]),
        ("parameters", True),
    ],
)
def test_an_answer_that_someone_changed_is_not_believed(place: str, value: object, answer: Estimate) -> None:
    kept = packed_estimate(answer) | {place: value}
    assert unpacked_estimate(kept, recipe=answer.recipe, gpu=answer.gpu) is None


@pytest.mark.parametrize(
    "change",
    [
        {"events": [2, 1]},
        {"events": [1, -1, -1]},
        {"events": [True]},
        {"cause": [10**6]},
        {"bytes": [1.5]},
        {"phases": [["x", 5, 2]]},
        {"causes": [["gold", "", "", 0]]},
    ],
)
def test_a_timeline_that_someone_changed_is_not_believed(change: dict[str, Any], answer: Estimate) -> None:
    assert answer.timeline is not None
    assert unpacked_timeline(packed_timeline(answer.timeline) | change) is None


def test_damaged_files_are_answered_afresh(answer: Estimate, folder: Path) -> None:
    cache_files = list(folder.rglob("*.json.gz"))
    assert cache_files
    kept = {path: path.read_bytes() for path in cache_files}
    for path in cache_files:
        path.write_bytes(b"\x1f\x8bnothing")
    cache.versions.cache_clear()
    assert asked(suggest=True) == answer
    assert any(path.read_bytes() == kept[path] for path in cache_files)
