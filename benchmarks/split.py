"""How far computed times are from published runs whose layers several cards split; nothing is fitted to them.

    python benchmarks/split.py

Rows as those of throughput.py, counted from traces with their collectives; docs/parallelism.md has the table.
"""

from __future__ import annotations

from throughput import ROOT, read_rows, run
from tunesmith.throughput import step_seconds

ROWS = ROOT / "benchmarks" / "rows" / "throughput_split.jsonl"


def main() -> None:
    """Print measured and computed tokens a second of each run, and measured over computed time."""
    for row in read_rows(ROWS):
        each = run(row)
        seconds = step_seconds(each.work, each.cluster, each.recipe)
        tokens = each.tokens_per_second * each.measured_seconds
        ratio = 2 * each.measured_seconds / (seconds.low + seconds.high)
        low, high = tokens / seconds.high, tokens / seconds.low
        print(f"| {each.id} | {each.tokens_per_second:,.0f} | {low:,.0f} to {high:,.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
