"""From a dirty file to a set that can be trained on: check, clean, split, mix, and say how long the rows are.

python examples/data.py [FOLDER]

The rows are real (examples/data/README.md says from where); ten of them have a fault.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tunesmith import api

ROWS = Path(__file__).parent / "data"


def main(folder: Path) -> None:
    """Write the sets to *folder* and say at each step what came of it."""
    report = api.check_data(ROWS / "questions.jsonl")
    print(f"{report.rows} rows, and these findings:")
    for found in report.findings:
        print(f"  {found.severity:7} {found.check:17} {found.message}")
    api.write_findings(report, folder / "findings.html")

    cleaned = api.clean_data(ROWS / "questions.jsonl", folder / "clean.jsonl")
    print(f"{cleaned.rows} rows are clean, {cleaned.dropped} are left out:")
    print((folder / "clean.rejected.jsonl").read_text(encoding="utf-8").splitlines()[0][:90], "…")

    api.split_data(folder / "clean.jsonl", folder / "sets", api.Draw(rows=20))
    again = api.check_data(folder / "sets" / "train.jsonl")
    leaks = [found for found in again.findings if found.check == "leakage"]
    print(f"{again.rows} rows to train on, {len(leaks)} of them in the evaluation set")

    mixture = api.mix_data(
        [folder / "sets" / "train.jsonl"],
        folder / "mixed.jsonl",
        api.Mixing(general=(ROWS / "talk.jsonl",)),
    )
    for part in mixture.parts:
        print(f"  {part.name}: {part.taken_rows} rows, {mixture.share(part, 'tokens'):.0%} of the tokens")
    assert not {found.check for found in api.check_data(folder / "mixed.jsonl").findings} & {
        "empty",
        "leakage",
    }


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
