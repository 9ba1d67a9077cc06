"""Check a data file on many machines, with an executor of datatrove: here Slurm's, or local processes.

    python examples/check_on_many_machines.py rows.jsonl /shared/work [--slurm PARTITION]

The file and the folder have to be in reach of all machines. When the tasks are done, run it again with the
same arguments: it finds their answers and shows the report. What was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from rich import print

from tunesmith.checks import CHECKS, Asked
from tunesmith.checks.spreading import CheckingStep
from tunesmith.data.scanning import recognised
from tunesmith.errors import DataError
from tunesmith.report.findings import answer


def main() -> None:
    """Run what is not done yet, and show the report once all is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", type=int, default=2, help="parts of the file, and local processes [2]")
    parser.add_argument("--slurm", metavar="PARTITION", help="run on a cluster instead")
    own = parser.parse_args()
    asked = Asked(form=recognised(own.file), path=own.file)
    step = CheckingStep.of(asked, CHECKS, own.folder / "answers", workers=own.parts)
    logs = str(own.folder / "logs")
    try:
        report = step.report()
    except DataError:
        if own.slurm:
            SlurmPipelineExecutor(
                pipeline=[step], tasks=step.tasks, time="04:00:00", partition=own.slurm, logging_dir=logs
            ).run()
            print("The tasks are with Slurm. Run this again when they are done.")
            return
        LocalPipelineExecutor(pipeline=[step], tasks=step.tasks, workers=own.parts, logging_dir=logs).run()
        report = step.report()
    print(answer(report))


if __name__ == "__main__":
    main()
