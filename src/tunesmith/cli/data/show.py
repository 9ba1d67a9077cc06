"""The verb ``show``: rows of a data file as a model reads them, and how long they all are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunesmith import api
from tunesmith.cli.data.command import COLUMNS, FILE, Command, counted
from tunesmith.cli.screen import at_work, show, show_json, through

_READING: Final = {"en": "Reading the data", "zh": "正在读取数据"}


def _run(own: Mapping[str, Any]) -> int:
    """Return the exit code after showing some rows and the lengths of all."""
    lang = own["lang"]
    with at_work(_READING[lang]) as say:
        sample = api.sample_data(
            own["file"],
            own["model"],
            rows=own["rows"],
            sequence_length=own["seq"],
            template=own["template"],
            columns=own["columns"],
            seed=own["seed"],
            progress=lambda rows, share: say(through(_READING[lang], rows, share)),
        )
    if own["json"]:
        show_json(sample.to_mapping())
    else:
        show(api.show_sample(sample, lang=lang))
    return 0


SHOW: Final = Command(
    name="show",
    usage="show FILE --model MODEL [flags]",
    about=(
        "rows as a model reads them, what of them is learned, and how long they all are",
        "模型所读到的各行、其中要学的部分，以及所有行的长度",
    ),
    codes=("exit codes: 0 shown; 2 a mistake in what was given", "退出码：0 已显示；2 输入有误。"),
    options={
        "file": FILE,
        "--model": (
            "the model whose tokenizer and chat template read it: a folder or a Hub id",
            "用其分词器和对话模板读取数据的模型：文件夹或 Hub 名称",
            {"metavar": "MODEL", "required": True},
        ),
        "--rows": ("rows that are shown [3]", "显示的行数 [3]", counted(3)),
        "--seq": ("tokens of a training sequence [2048]", "训练序列的词元数 [2048]", counted(2048)),
        "--template": (
            "another chat template: alpaca, alpaca_zh, chatml or a .jinja file",
            "改用其他对话模板：alpaca、alpaca_zh、chatml 或 .jinja 文件",
            {"metavar": "T"},
        ),
        "--columns": COLUMNS,
        "--seed": ("another number draws other rows [1]", "换一个数会抽取其他行 [1]", counted(1)),
    },
    run=_run,
)
"""``tunesmith data show``."""
