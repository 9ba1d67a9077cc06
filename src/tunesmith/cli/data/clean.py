"""The verb ``clean``: a new file without the faults of another, and one of the rows that were left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunesmith import api
from tunesmith.cli.data.check import CHECK
from tunesmith.cli.data.command import FILE, Command
from tunesmith.cli.screen import at_work, show, show_json, through

WRITTEN, NOTHING_LEFT = 0, 1
"""Exit codes."""
_DOING: Final = {
    "en": {"check": "Checking the data", "write": "Writing the rows"},
    "zh": {"check": "正在检查数据", "write": "正在写入"},
}


def names(text: str) -> tuple[str, ...]:
    """Return the names in *text*, which stand apart by commas."""
    return tuple(name for each in text.split(",") if (name := each.strip()))


def _run(own: Mapping[str, Any]) -> int:
    """Return the exit code after cleaning a file and showing what that did."""
    words = _DOING[own["lang"]]
    with at_work(words["check"]) as say:
        cleaned = api.clean_data(
            own["file"],
            own["output"],
            api.Cleaning(
                model=own["model"],
                columns=own["columns"],
                against=own["against"],
                sequence_length=own["seq"],
                method=own["method"],
                only=own["only"],
                skip=own["skip"],
                quick=own["quick"],
                overwrite=own["overwrite"],
            ),
            progress=lambda doing, rows, share: say(through(words[doing], rows, share)),
        )
    if own["json"]:
        show_json(cleaned.to_mapping())
    else:
        show(api.show_cleaned(cleaned, lang=own["lang"]))
    return WRITTEN if cleaned.outputs else NOTHING_LEFT


CLEAN: Final = Command(
    name="clean",
    usage="clean FILE -o OUT.jsonl [--only NAMES] [--skip NAMES] [--model MODEL] [flags]",
    about=(
        "a new file without the rows that checks drop, the others mended; each row left out is told why",
        "写出新文件：去掉检查判定应去掉的行，修复其余；逐行说明去掉的原因",
    ),
    codes=(
        "exit codes: 0 the files are written; 1 no row is left, and nothing is written; 2 a mistake",
        "退出码：0 已写入；1 没有剩下任何行，未写入；2 输入有误。",
    ),
    options={
        "file": FILE,
        "--output": (
            "the new file, .jsonl; OUT.rejected.jsonl and OUT.jsonl.manifest.json are written beside it",
            "新文件（.jsonl）；同时写出 OUT.rejected.jsonl 与 OUT.jsonl.manifest.json",
            {"metavar": "OUT.jsonl", "required": True},
        ),
        "--only": (
            "the checks to run, apart by commas [all]",
            "只做这些检查，以逗号分隔 [全部]",
            {"metavar": "NAMES", "type": names, "default": ()},
        ),
        "--skip": (
            "checks not to run, apart by commas",
            "不做这些检查，以逗号分隔",
            {"metavar": "NAMES", "type": names, "default": ()},
        ),
        "--overwrite": (
            "replace files that are there; the input never is",
            "覆盖已有的输出文件；绝不覆盖输入",
            {"action": "store_true"},
        ),
        **{
            name: CHECK.options[name]
            for name in ("--model", "--columns", "--against", "--seq", "--method", "--quick")
        },
    },
    run=_run,
)
"""``tunesmith data clean``."""
