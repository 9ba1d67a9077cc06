"""What times and prices take for granted: said where it matters, and true of the runs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tunesmith.hardware import Cluster, gpu
from tunesmith.hardware.prices import Price, prices
from tunesmith.throughput.assumptions import RUNS, run_assumptions

ROWS = Path(__file__).parents[2] / "benchmarks" / "rows" / "throughput.jsonl"


def said(card: str, nodes: int = 1) -> str:
    """Return all sentences for *nodes* of eight *card*, with the table's prices."""
    return " ".join(run_assumptions(Cluster(gpu=gpu(card), gpus=8, nodes=nodes), prices()))


def test_runs_of_each_architecture_are_those_of_the_rows() -> None:
    """The counts that sentences give are those of the file of runs."""
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    assert Counter(gpu(row["recipe"]["hardware"]["gpu"]).architecture for row in rows) == RUNS


def test_a_card_with_no_run_or_few_is_said_to_have_them() -> None:
    """Who reads a time for Blackwell learns that it is a guess; for Hopper, that it rests on three runs."""
    assert "None of those runs was on a Blackwell card" in said("B200")
    assert "Only 3 of those runs were on Hopper cards" in said("H100")
    assert "those runs" not in said("A100")


def test_the_network_is_named_only_where_there_is_one() -> None:
    """One node has no network; two nodes of A100 have 80 % of 200 Gb/s a card."""
    assert "Between nodes" not in said("A100")
    assert "Between nodes a card is taken to send 20 GB a second" in said("A100", nodes=2)


def test_prices_are_those_of_who_is_named() -> None:
    """Providers and days are those of the prices in use; without a price nothing is said of dollars."""
    mine = Price(
        card="A100-80GB", provider="us", kind="own", usd_per_hour=1.0, date="2026-01-02", source="bill"
    )
    cluster = Cluster(gpu=gpu("A100"), gpus=1)
    listed = {"A100-80GB": (*prices()["A100-80GB"], mine)}
    *_, last = run_assumptions(cluster, listed)
    assert last == "Dollars are what us ask for an hour of one A100-80GB (2026-01-02)."
    assert not any("Dollars" in line for line in run_assumptions(cluster, {}))


def test_prices_of_several_days_say_from_when_to_when() -> None:
    """Two days give a span; a price without a day leaves days out."""
    cluster = Cluster(gpu=gpu("A100"), gpus=1)

    def dollars(*days: str) -> str:
        rows = tuple(
            Price(card="A100-80GB", provider="us", kind="own", usd_per_hour=1.0, date=day, source="bill")
            for day in days
        )
        return list(run_assumptions(cluster, {"A100-80GB": rows}))[-1]

    assert "(2026-01-02 to 2026-03-04)" in dollars("2026-03-04", "2026-01-02")
    assert dollars("2026-03-04", "").endswith("one A100-80GB.")
