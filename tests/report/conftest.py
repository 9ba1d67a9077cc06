"""A run made by hand: small enough to add up on paper, with a peak in the second optimizer step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tunesmith.hardware import gpu as find_gpu
from tunesmith.memory.estimate import Estimate, Traced, estimate_from
from tunesmith.memory.timeline import Phase, Storage, Timeline
from tunesmith.recipe import Recipe
from tunesmith.report.timeline import write_timeline
from tunesmith.units import MIB

LAYERS = 4
WEIGHT = 100 * MIB
"""Bytes of each of the weights: one embedding and one matrix a layer."""
PARAMETERS = (LAYERS + 1) * WEIGHT // 2


class Run:
    """Writes a Timeline event by event."""

    def __init__(self) -> None:
        self.storages: list[Storage] = []
        self.events: list[int] = []
        self.phases: list[Phase] = []

    def born(self, count: int, category: str, module: str = "", operation: str = "aten::empty") -> int:
        self.storages.append(Storage(bytes=count, category=category, module=module, operation=operation))
        self.events.append(len(self.storages))
        return len(self.storages)

    def released(self, *births: int) -> None:
        self.events.extend(-birth for birth in births)

    def ends(self, phase: str) -> None:
        start = self.phases[-1].end if self.phases else 0
        self.phases.append(Phase(name=phase, start=start, end=len(self.events)))

    def timeline(self) -> Timeline:
        return Timeline(storages=tuple(self.storages), events=tuple(self.events), phases=tuple(self.phases))


def handmade_timeline() -> Timeline:
    """Return two steps of four layers whose sizes are round."""
    run = Run()
    for _ in range(LAYERS + 1):
        run.born(WEIGHT, "weights")
    run.born(300, "buffers", "model.rotary_emb")
    run.ends("load")
    for step in ("step1", "step2"):
        batch = run.born(4096, "inputs", operation="aten::_to_copy")
        embedded = run.born(16 * MIB, "activations", "model.embed_tokens", "aten::embedding")
        saved = [
            run.born(32 * MIB, "activations", f"model.layers.{i}.mlp.up_proj", "aten::mm")
            for i in range(LAYERS)
        ]
        if step == "step1":
            run.born(8_519_680, "cublas workspaces", "model.layers.0.mlp.up_proj", "cublasSetWorkspace")
        logits = run.born(120 * MIB, "logits and loss", "lm_head", "aten::mm")
        run.ends(f"{step}.forward")
        loss = run.born(4, "logits and loss", operation="aten::nll_loss")
        passing = run.born(60 * MIB + 1, "temporaries", "lm_head", "aten::_log_softmax_backward_data")
        run.released(passing, loss, logits)
        gradients = []
        for i in reversed(range(LAYERS)):
            gradients.append(run.born(WEIGHT, "gradients", f"model.layers.{i}.mlp.up_proj", "aten::mm"))
            run.released(saved[i])
        gradients.append(
            run.born(WEIGHT, "gradients", "model.embed_tokens", "aten::embedding_dense_backward")
        )
        scratch = run.born(
            20 * MIB + 1, "temporaries", "model.embed_tokens", "aten::embedding_dense_backward"
        )
        run.released(scratch, embedded)
        run.ends(f"{step}.backward")
        if step == "step1":
            for _ in range(2 * (LAYERS + 1)):
                run.born(WEIGHT, "optimizer states", operation="aten::zeros_like")
        run.ends(f"{step}.step")
        run.released(batch, *gradients)
        run.ends(f"{step}.end")
    return run.timeline()


@pytest.fixture
def made() -> Callable[..., Estimate]:
    """Return what makes the estimate of the run on a card, with a recipe's changed keys."""

    def make(gpu: str | None = "RTX 4090", *, model: str = "acme/Round-262M", **changes: object) -> Estimate:
        recipe = Recipe(model="HuggingFaceTB/SmolLM2-135M", method="full", sequence_length=1024)
        recipe = recipe.replace(**{"hardware.gpu": gpu, **changes})
        traced = Traced(
            timeline=handmade_timeline(),
            parameters=PARAMETERS,
            trainable_parameters=PARAMETERS,
            assumptions=("Every sequence has exactly 1024 tokens, all of them supervised; no padding.",),
            versions={"torch": "2.13.0", "transformers": "5.23.0"},
        )
        return estimate_from(traced, model=model, recipe=recipe, gpu=find_gpu(gpu) if gpu else None)

    return make


@pytest.fixture
def drawn(tmp_path: Path) -> Callable[..., str]:
    """Return what writes a drawing and reads it back."""

    def draw(estimate: Estimate, suffix: str, lang: str = "en") -> str:
        path = tmp_path / f"drawing{suffix}"
        write_timeline(estimate, path, lang=lang)
        return path.read_text(encoding="utf-8")

    return draw
