"""Which share of printed rates cards reach: groups, and numbers that the published runs give."""

from __future__ import annotations

from types import ModuleType

import pytest

from tunesmith.hardware import GPUS, gpu
from tunesmith.throughput.efficiency import EFFICIENCIES, GROUPS, LEAST, MOST, efficiency, group


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("V100-16GB", "server"),
        ("A100-80GB", "server"),
        ("H100-80GB", "new server"),
        ("B200-180GB", "new server"),
        ("RTX 3090", "halved board"),
        ("RTX 4090", "halved board"),
        ("RTX 5090", "halved board"),
        ("L40S-48GB", "board"),
        ("A10-24GB", "board"),
        ("T4-16GB", "old board"),
    ],
)
def test_each_card_has_its_group(name: str, expected: str) -> None:
    """Memory, generation and the rate of the tensor cores decide."""
    assert group(gpu(name)) == expected


def test_every_card_of_the_catalogue_has_efficiencies() -> None:
    """There is no card without a group, and no group without numbers."""
    assert set(EFFICIENCIES) == set(GROUPS) == {group(card) for card in GPUS.values()}
    for card in GPUS.values():
        reached = efficiency(card)
        assert 0 < reached.attention < reached.matmul < 1.2
        assert 0 < reached.bandwidth < 1.2
        assert 0 < reached.launch_seconds < 1e-4


def test_the_numbers_are_those_that_the_fit_gives(benchmark: ModuleType) -> None:
    """The package holds the fit to every second published run, rounded; nothing is tuned by hand."""
    fitted, _ = benchmark.halves([benchmark.run(row) for row in benchmark.read_rows()])
    for name, found in benchmark.efficiencies(benchmark.fit(fitted)).items():
        kept = EFFICIENCIES[name]
        assert kept.matmul == pytest.approx(found.matmul, abs=0.006)
        assert kept.attention == pytest.approx(found.attention, abs=0.006)
        assert kept.bandwidth == pytest.approx(found.bandwidth, abs=0.006)
        assert kept.launch_seconds == pytest.approx(found.launch_seconds, rel=0.05)


def test_the_interval_holds_the_published_runs(benchmark: ModuleType) -> None:
    """Its ends are the quantiles that the page states; nine of ten held-out runs lie inside."""
    runs = [benchmark.run(row) for row in benchmark.read_rows()]
    least, most = benchmark.spread(runs)
    assert pytest.approx(least, abs=0.006) == LEAST
    assert pytest.approx(most, abs=0.006) == MOST
    _, held = benchmark.halves(runs)
    inside = [low >= LEAST and high <= MOST for low, high in benchmark.ratios(held)]
    assert sum(inside) >= 0.9 * len(inside)


def test_the_page_is_what_the_benchmark_writes(benchmark: ModuleType) -> None:
    """docs/throughput.md was generated from the rows as they are."""
    runs = [benchmark.run(row) for row in benchmark.read_rows()]
    page = benchmark.ROOT / "docs" / "throughput.md"
    assert page.read_text(encoding="utf-8") == benchmark.report(runs)


def test_every_run_names_its_source(benchmark: ModuleType) -> None:
    """A row says where it was published, on which card, and how fast it was; no name comes twice."""
    rows = benchmark.read_rows()
    assert len(rows) >= 25
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert "@" in row["source"] or row["source"].startswith("https://")
        assert row["tokens_per_second"] > 0
        assert gpu(row["recipe"]["hardware"]["gpu"])
