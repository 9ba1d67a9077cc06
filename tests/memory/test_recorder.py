"""The recorder: on a real device it counts what PyTorch's own counters count, and every byte has a cause."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import accumulate

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint

from tunesmith.memory.recorder import Recorder
from tunesmith.memory.timeline import Timeline

CPU = torch.device("cpu")


def curve(timeline: Timeline) -> list[int]:
    """Return the live bytes after each event."""
    sizes = (timeline.storages[abs(e) - 1].bytes * (1 if e > 0 else -1) for e in timeline.events)
    return list(accumulate(sizes))


def net() -> nn.Sequential:
    """Return a small network whose kernels take nothing beside their outputs."""
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))


def train(model: nn.Module, batch: torch.Tensor) -> None:
    """Run two steps of plain SGD with momentum."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, foreach=False)
    for _ in range(2):
        model(batch).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def allocators_curve(run: Callable[[], None]) -> list[int]:
    """Return the live bytes after each allocation and release that PyTorch's CPU allocator reports."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    changes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    return list(accumulate(size for _, size in changes))


def test_the_peak_and_the_end_are_those_of_pytorchs_allocator() -> None:
    """The total is counted another way: PyTorch's profiler hears of every block from the CPU's allocator."""
    batch = torch.zeros(16, 8)
    train(net(), batch)  # whatever a first run sets up once
    measured_model, recorded_model = net(), net()
    measured = allocators_curve(lambda: train(measured_model, batch))
    gc.collect()
    with Recorder(CPU) as recorder:
        train(recorded_model, batch)
    recorded = curve(recorder.timeline())
    born_before = sum(p.numel() * 4 for p in recorded_model.parameters()) + batch.numel() * 4
    assert max(recorded) - born_before <= max(measured) <= max(recorded)
    assert max(recorded) > 0


def python_tensors() -> dict[int, int]:
    """Return the storages of every tensor that the garbage collector knows, and their bytes."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    storages = [tensor.untyped_storage() for tensor in tensors if tensor.device.type == "cpu"]
    return {storage._cdata: storage.nbytes() for storage in storages}


def test_live_storages_are_those_the_garbage_collector_knows() -> None:
    before = python_tensors()
    with Recorder(CPU) as recorder:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, foreach=False)
        model(torch.zeros(16, 8)).square().mean().backward()
        optimizer.step()
        live = curve(recorder.timeline())[-1]
    alive = {key: count for key, count in python_tensors().items() if key not in before}
    assert live == sum(alive.values()) == 3 * 4 * sum(p.numel() for p in model.parameters())


def test_a_view_is_no_new_storage() -> None:
    with Recorder(CPU) as recorder:
        kept = torch.zeros(100)
        views = [kept.view(10, 10), kept[:5], kept.t(), kept.unsqueeze(0)]
    assert [storage.bytes for storage in recorder.timeline().storages] == [400]
    assert len(views) == 4


def test_a_release_is_seen_at_the_moment_of_the_last_reference() -> None:
    with Recorder(CPU) as recorder:
        first = torch.zeros(10)
        alias = first.view(2, 5)
        del first
        second = torch.zeros(20)
        del alias
        third = torch.zeros(30)
    assert recorder.timeline().events[:4] == (1, 2, -1, 3)
    assert second.numel() + third.numel() == 50


def test_storages_on_other_devices_are_not_counted() -> None:
    with Recorder(CPU) as recorder:
        elsewhere = torch.zeros(10, device="meta")
    assert recorder.timeline().storages == ()
    assert elsewhere.numel() == 10


def test_phases_cover_all_events_without_gaps() -> None:
    with Recorder(CPU) as recorder:
        kept = [torch.zeros(1)]
        recorder.end_phase("one")
        recorder.end_phase("nothing")
        kept.append(torch.zeros(2))
        kept.pop(0)
        recorder.end_phase("two")
    timeline = recorder.timeline()
    assert [(p.name, p.start, p.end) for p in timeline.phases] == [
        ("one", 0, 1),
        ("nothing", 1, 1),
        ("two", 1, 3),
    ]


def test_births_carry_their_module_and_operation() -> None:
    model = net()
    with Recorder(CPU) as recorder:
        recorder.name_modules(model, head=None)
        model(torch.zeros(16, 8)).sum().backward()
    born = {(s.module, s.operation) for s in recorder.timeline().storages}
    assert ("0", "aten::addmm") in born
    assert ("3", "aten::tanh") in born
    assert ("3", "aten::tanh_backward") in born, "backward is laid at the door of the module that ran forward"


def test_a_gradient_is_a_gradient_once_it_is_labelled() -> None:
    model = net()
    with Recorder(CPU) as recorder:
        model(torch.zeros(16, 8)).sum().backward()
        recorder.label([p.grad for p in model.parameters() if p.grad is not None], "gradients")
    labelled = sum(s.bytes for s in recorder.timeline().storages if s.category == "gradients")
    assert labelled == sum(p.numel() * 4 for p in model.parameters())


def saved(make: Callable[[], nn.Module]) -> int:
    """Return the bytes that autograd alone keeps after a forward of what *make* makes."""
    with Recorder(CPU) as recorder:
        model, batch = make(), torch.zeros(16, 8)
        recorder.label([*model.parameters(), batch], "weights")
        result = model(batch)
        recorder.label([result], "logits and loss")
        timeline = recorder.timeline()
    live: set[int] = set()
    for event in timeline.events:
        live.add(event) if event > 0 else live.discard(-event)
    kept = [timeline.storages[event - 1] for event in live]
    return sum(storage.bytes for storage in kept if storage.category == "activations")


def test_what_lives_after_a_forward_is_what_autograd_keeps() -> None:
    relu_output, tanh_output = 16 * 32 * 4, 16 * 32 * 4
    assert saved(net) == relu_output + tanh_output


def linears(*, frozen: bool) -> nn.Module:
    """Return three linear layers, of which the second may not learn."""
    model = nn.Sequential(nn.Linear(8, 32), nn.Linear(32, 32, bias=False), nn.Linear(32, 4))
    model[1].requires_grad_(not frozen)
    return model


def test_a_frozen_linear_layer_keeps_no_input() -> None:
    kept = saved(lambda: linears(frozen=False)) - saved(lambda: linears(frozen=True))
    assert kept == 16 * 32 * 4


class Checkpointed(nn.Module):
    """A network whose inside is computed again in the backward."""

    def __init__(self, inner: nn.Module, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.inner, self.reentrant = nn.Linear(8, 8), inner, reentrant

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the result, of which only the inner input is kept."""
        result: torch.Tensor = checkpoint(self.inner, self.first(batch), use_reentrant=self.reentrant)
        return result


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_keeps_the_input_and_makes_the_rest_again(reentrant: bool) -> None:
    assert saved(lambda: Checkpointed(net(), reentrant=reentrant)) == 16 * 8 * 4
    model, batch = Checkpointed(net(), reentrant=reentrant), torch.zeros(16, 8)
    with Recorder(CPU) as recorder:
        recorder.name_modules(model, head=None)
        model(batch).sum().backward()
    tanhs = [s for s in recorder.timeline().storages if s.operation == "aten::tanh"]
    assert [s.module for s in tanhs] == ["inner.3", "inner.3"]


def test_a_cublas_workspace_is_taken_once_a_thread_and_never_given_back() -> None:
    model = net()
    with Recorder(CPU, workspace_bytes=1000) as recorder:
        for _ in range(2):
            model(torch.zeros(16, 8)).sum().backward()
    timeline = recorder.timeline()
    taken = [i for i, s in enumerate(timeline.storages) if s.category == "cublas workspaces"]
    assert len(taken) == 2
    assert not any(-(index + 1) in timeline.events for index in taken)


def test_scratch_is_born_and_released_inside_its_operation() -> None:
    def scratch(name: str, args: tuple[object, ...]) -> tuple[int, ...]:
        return (7, 11) if name == "aten::tanh" else ()

    with Recorder(CPU, scratch=scratch) as recorder:
        kept = torch.zeros(4).tanh()
    timeline = recorder.timeline()
    extra = [i + 1 for i, s in enumerate(timeline.storages) if s.bytes in (7, 11)]
    assert len(extra) == 2
    assert all(-event in timeline.events for event in extra)
    assert kept.numel() == 4


def test_a_resized_storage_is_released_and_born_again() -> None:
    """FSDP frees what it gathered by resizing a storage to nothing, and takes it anew for the same cause."""
    with Recorder(CPU) as recorder:
        tensor = torch.empty(256)
        recorder.label([tensor], "gathered parameters")
        for size in (0, 1024):
            tensor.untyped_storage().resize_(size)
            recorder.resized(tensor.untyped_storage())
        del tensor
    timeline = recorder.timeline()
    assert timeline.events == (1, -1, 2, -2)
    assert {storage.category for storage in timeline.storages} == {"gathered parameters"}


def test_what_lies_elsewhere_is_not_recorded() -> None:
    """While the recorder is paused, storages are born elsewhere, and what is done to them stays there."""
    with Recorder(CPU) as recorder:
        recorder.paused = True
        away = torch.zeros(64)
        recorder.paused = False
        away.add_(1)
        here = away + 1
    assert len(recorder.timeline().storages) == 1
    assert here.shape == away.shape


def test_a_category_can_be_said_before_anything_is_born() -> None:
    """Inside a block everything that is born has the block's category, on the stream that is current."""
    numbers = iter((3, 0))
    with Recorder(CPU, stream=lambda: next(numbers)) as recorder:
        with recorder.category("communication buffers"):
            sent = torch.empty(8)
        kept = torch.empty(8)
    first, second = recorder.timeline().storages
    assert (first.category, first.stream) == ("communication buffers", 3)
    assert (second.category, second.stream) == ("temporaries", 0)
    assert sent.shape == kept.shape
