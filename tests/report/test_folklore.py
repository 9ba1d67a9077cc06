"""Folk formulas beside an answer: fed with the run's own numbers, set beside its own parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tunesmith.architecture import load_architecture
from tunesmith.folklore import compare
from tunesmith.memory.estimate import Estimate
from tunesmith.memory.timeline import Phase, Storage, Timeline
from tunesmith.report.folklore import exact_figures, folk_run

Made = Callable[..., Estimate]


def test_formulas_get_the_numbers_of_the_run(made: Made) -> None:
    """Sizes, lengths, bits and switches are those of the recipe and of the model."""
    model = load_architecture("HuggingFaceTB/SmolLM2-135M")
    run = folk_run(made(per_device_train_batch_size=3, optim="adamw_8bit"), model)
    assert (run.hidden, run.layers) == (model.hidden_size, model.num_hidden_layers)
    assert (run.batch, run.sequence, run.optimizer_bits, run.weight_bits) == (3, 1024, 8, 16)
    assert folk_run(made(**{"precision.weights": "float32"}), None).weight_bits == 32


@pytest.mark.parametrize("method", ["full", "lora", "qlora", "freeze"])
def test_a_method_is_told_as_it_is(method: str, made: Made) -> None:
    """The formulas are asked about the method of the run, with 4 bits where the weights have 4."""
    changes = {"freeze.last_n_layers": 1} if method == "freeze" else {}
    run = folk_run(made(method=method, **changes), None)
    assert run.method == method
    assert run.weight_bits == (4 if method == "qlora" else 16)


def test_exact_figures_are_those_of_the_answer(made: Made) -> None:
    """Each formula is set beside a figure of the answer, and parts beside parts."""
    estimate = made()
    figures = exact_figures(estimate)
    assert figures["allocated_bytes"] == estimate.peak.allocated_bytes
    assert figures["process_bytes"] == estimate.peak.process_bytes
    assert figures["weights"] == estimate.parts["weights"]


def lora_gradients(rank: int, *widths: tuple[int, int], item: int = 4) -> Timeline:
    """Return a timeline that holds nothing but the gradients of adapted matrices, each twice."""
    storages = []
    for _ in range(2):
        for index, (d_in, d_out) in enumerate(widths):
            path = f"model.layers.{index}.q_proj"
            for side, width in (("lora_A", d_in), ("lora_B", d_out)):
                name = f"{path}.{side}.default"
                size = rank * width * item
                storages.append(Storage(bytes=size, category="gradients", module=name, operation="aten::mm"))
    events = tuple(sign * (i + 1) for i in range(len(storages)) for sign in (1, -1))
    phase = Phase(name="step1.backward", start=0, end=len(events))
    return Timeline(storages=tuple(storages), events=events, phases=(phase,))


@pytest.mark.parametrize("item", [2, 4])
def test_adapted_matrices_are_read_off_their_gradients(made: Made, item: int) -> None:
    """The widths of every adapted matrix follow from its gradients, and give LoRA's own count."""
    widths = ((64, 32), (64, 256))
    count = 8 * sum(d_in + d_out for d_in, d_out in widths)
    estimate = replace(
        made(method="lora", **{"adapter.r": 8}),
        timeline=lora_gradients(8, *widths, item=item),
        trainable_parameters=count,
    )
    run = folk_run(estimate, None)
    assert run.adapted == widths
    told = next(
        each for each in compare(run, truth_bytes=exact_figures(estimate)) if each.folk.id == "lora-count"
    )
    assert told.error == 0


def test_no_widths_are_told_where_something_else_learns_too(made: Made) -> None:
    """Where the gradients do not account for every trainable parameter, the formula is not asked."""
    estimate = replace(
        made(method="lora", **{"adapter.r": 8}),
        timeline=lora_gradients(8, (64, 32)),
        trainable_parameters=769,
    )
    assert folk_run(estimate, None).adapted == ()
