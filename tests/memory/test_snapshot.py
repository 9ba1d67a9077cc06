"""PyTorch's own tools read the snapshots that are written here."""

from __future__ import annotations

import pickletools
import runpy
import sys
from pathlib import Path

import pytest
from torch.cuda import _memory_viz

from tunesmith.memory.allocator import AllocatorSettings, replay
from tunesmith.memory.snapshot import snapshot, write_snapshot
from tunesmith.memory.timeline import Phase, Storage, Timeline
from tunesmith.units import MIB


def storage(size: int, category: str, module: str, operation: str) -> Storage:
    return Storage(bytes=size, category=category, module=module, operation=operation)


STEP = Timeline(
    storages=(
        storage(4_000, "weights", "model.norm", "aten.empty"),
        storage(15 * MIB, "weights", "model.layers.0.mlp", "aten.empty"),
        storage(3 * MIB + 7, "activations", "model.layers.0.mlp", "aten.mm"),
        storage(0, "temporaries", "", "aten.empty"),
        storage(40 * MIB, "gradients", "", "aten.mm"),
    ),
    events=(1, 2, 3, 4, 5, -3, -4, -5),
    phases=(Phase(name="load", start=0, end=2), Phase(name="step", start=2, end=8)),
)


def viewer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run PyTorch's viewer as its command line does, and return what it prints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["_memory_viz", *arguments])
        patch.setattr(sys, "path", list(sys.path))
        runpy.run_path(str(_memory_viz.__file__), run_name="__main__")
    return capsys.readouterr().out


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "snapshot.pickle"
    write_snapshot(STEP, written)
    return written


def test_stats_counts_what_the_replay_reserved(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PyTorch's summary, which checks that its parts sum to the segments, ends at the same totals."""
    text = viewer(capsys, "stats", str(path))
    assert "segments: 4" in text
    reserved = replay(STEP).reserved_after[-1]
    assert f"total_reserved: {reserved / MIB:.1f}MiB" in text


def test_trace_prints_every_event(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Segments appear before the allocations for which they were made; empty storages do not appear."""
    text = viewer(capsys, "trace", str(path))
    lines = text.splitlines()
    assert [line.split("(")[0] for line in lines if "cudaMalloc" in line] == [
        f"{name} = cudaMalloc" for name in "aceg"
    ]
    assert "b = a[0:3.9KiB]" in lines
    assert sum(line.startswith("# free completed") for line in lines) == 2


@pytest.mark.parametrize("plot", ["trace_plot", "segment_plot"])
def test_plots_are_written(plot: str, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both pages hold the snapshot for the viewer in the browser."""
    page = tmp_path / "plot.html"
    viewer(capsys, plot, str(path), "-o", str(page))
    assert "snapshot.pickle" in page.read_text()


def test_only_what_the_browser_can_unpickle_is_written(path: Path) -> None:
    """The viewer's own unpickler (torch/utils/viz/MemoryViz.js) knows these opcodes and no others."""
    known = """PROTO FRAME STOP MEMOIZE BINGET LONG_BINGET MARK APPEND APPENDS SETITEM SETITEMS EMPTY_DICT
        EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 BININT BININT1 BININT2 LONG1 BINFLOAT NONE NEWTRUE
        NEWFALSE SHORT_BINUNICODE BINUNICODE"""
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(path.read_bytes())}
    assert opcodes <= set(known.split())


def test_flame_graphs_name_module_operation_category_and_phase() -> None:
    """What is alive at the end can be told apart by its cause."""
    lines = _memory_viz.memory(snapshot(STEP), format_flamegraph=str)
    assert "stream_0;active_allocated;load:0:weights;model.layers.0.mlp:0:aten.empty 15728640" in lines


def test_freed_memory_filters_out() -> None:
    """PyTorch pairs each release with its allocation by address."""
    kept = _memory_viz.filter_alloc_free_pairs(snapshot(STEP))["device_traces"][0]
    assert [event["size"] for event in kept if event["action"] == "alloc"] == [4_000, 15 * MIB]


@pytest.mark.parametrize("expandable", [False, True])
def test_counting_the_trace_gives_the_replays_peak(expandable: bool) -> None:
    """Segments summed over the trace reach exactly the reserved peak."""
    settings = AllocatorSettings(expandable_segments=expandable)
    held = peak = 0
    for event in snapshot(STEP, settings=settings)["device_traces"][0]:
        gain = event["action"] in ("segment_alloc", "segment_map")
        held += event["size"] * (gain - (event["action"] in ("segment_free", "segment_unmap")))
        peak = max(peak, held)
    assert peak == replay(STEP, settings=settings).reserved_bytes


def test_a_card_that_is_too_small_ends_the_snapshot(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The last entry is the request that ran out of memory, with what was free."""
    last = snapshot(STEP, total_bytes=60 * MIB)["device_traces"][0][-1]
    assert (last["action"], last["size"], last["device_free"]) == ("oom", 40 * MIB, 22 * MIB)
    assert last["frames"][0]["name"] == "aten.mm"
    path = tmp_path / "full.pickle"
    write_snapshot(STEP, path, total_bytes=60 * MIB)
    assert "raise OutOfMemoryError" in viewer(capsys, "trace", str(path))
