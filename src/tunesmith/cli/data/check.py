"""The verb ``check``: what is wrong with a data file, in which rows, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from tunesmith import api
from tunesmith.cli.data.command import COLUMNS, FILE, Command, counted
from tunesmith.cli.screen import at_work, show, show_json, through

CLEAN, HAS_ERRORS = 0, 1
"""Exit codes."""
_READING: Final = {"en": "Checking the data", "zh": "正在检查数据"}


def _run(own: Mapping[str, Any]) -> int:
    """Return the exit code after showing what the checks found."""
    lang = own["lang"]
    if own["report"] is not None:
        api.check_output(own["report"], kind="page")
    if own["fix"] is not None:
        return _fix(own)
    with at_work(_READING[lang]) as say:
        report = api.check_data(
            own["file"],
            model=own["model"],
            columns=own["columns"],
            against=own["against"],
            sequence_length=own["seq"],
            method=own["method"],
            quick=own["quick"],
            workers=own["workers"],
            progress=lambda rows, share: say(through(_READING[lang], rows, share)),
        )
        _write_page(own, report)
    if own["json"]:
        show_json(report.to_mapping())
    else:
        show(api.show_findings(report, lang=lang))
    return HAS_ERRORS if report.has_errors else CLEAN


def _write_page(own: Mapping[str, Any], report: Any) -> None:
    """Write the page of what was found before anything was mended, if one is asked for."""
    if own["report"] is not None:
        api.write_findings(
            report, own["report"], model=own["model"], sequence_length=own["seq"], lang=own["lang"]
        )


def _fix(own: Mapping[str, Any]) -> int:
    """Return the exit code after showing what the checks found and what cleaning left of it."""
    lang = own["lang"]
    with at_work(_READING[lang]) as say:
        cleaned = api.clean_data(
            own["file"],
            own["fix"],
            api.Cleaning(
                model=own["model"],
                columns=own["columns"],
                against=own["against"],
                sequence_length=own["seq"],
                method=own["method"],
                quick=own["quick"],
            ),
            progress=lambda _, rows, share: say(through(_READING[lang], rows, share)),
        )
        _write_page(own, cleaned.before)
    if own["json"]:
        told = {**cleaned.before.to_mapping(), "fixed": cleaned.to_mapping()}
        show_json(told)
    else:
        show(api.show_findings(cleaned.before, lang=lang))
        sys.stdout.write("\n")
        show(api.show_cleaned(cleaned, lang=lang))
    return HAS_ERRORS if cleaned.after.has_errors or not cleaned.outputs else CLEAN


CHECK: Final = Command(
    name="check",
    usage="check FILE [--model MODEL] [flags]",
    about=(
        "what is wrong with a data file, in which rows, and what to do",
        "数据文件有什么问题，在哪些行，该怎么办",
    ),
    codes=(
        "exit codes: 0 no error among the findings; 1 there is one; 2 a mistake in what was given",
        "退出码：0 没有错误级的问题；1 有；2 输入有误。",
    ),
    options={
        "file": FILE,
        "--model": (
            "the model that will learn it: its tokenizer counts tokens, its weights, if at hand, weigh rows",
            "将用此数据训练的模型：用其分词器计数，若有权重则据其损失评判各行",
            {"metavar": "MODEL"},
        ),
        "--columns": COLUMNS,
        "--against": (
            "an evaluation set that no row may be found in; may be given several times",
            "任何一行都不得出现其中的评测集；可多次给出",
            {"metavar": "FILE", "action": "append", "default": []},
        ),
        "--seq": ("tokens of a training sequence [2048]", "训练序列的词元数 [2048]", counted(2048)),
        "--method": (
            "what will be trained, which sets how many rows it takes [lora]",
            "训练方法，决定需要多少行 [lora]",
            {"choices": ("full", "freeze", "lora", "qlora"), "default": "lora"},
        ),
        "--quick": (
            "only the checks that keep pace with reading",
            "只做跟得上读取速度的检查",
            {"action": "store_true"},
        ),
        "--workers": (
            "processes that share the work, by datatrove; on many machines see the documentation [1]",
            "由 datatrove 分工的进程数；多台机器见文档 [1]",
            counted(1),
        ),
        "--report": (
            "write the findings as a page to an .html file, with lengths if a model is given",
            "把检查结果写成 .html 网页；若给出模型则含长度分布",
            {"metavar": "PAGE.html"},
        ),
        "--fix": (
            "write the cleaned data there, as the verb clean does; the exit code is that of what is left",
            "把清理后的数据写到该文件（同 clean）；退出码按清理后的结果给出",
            {"metavar": "OUT.jsonl"},
        ),
    },
    run=_run,
)
"""``tunesmith data check``."""
