"""The verb ``vocabulary``: terms that fragment, what adding them gains, costs and risks, and the act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from tunesmith import api
from tunesmith.cli.data.command import FILE, Command, counted
from tunesmith.cli.screen import at_work, show, show_json, through

_WORK: Final = {"en": "Counting tokens", "zh": "正在统计词元"}


def _run(own: Mapping[str, Any]) -> int:
    """Return 0 after showing what more words gain, and writing them where a folder is named."""
    lang = own["lang"]
    extended = None
    with at_work(_WORK[lang]) as say:
        found = api.find_vocabulary(
            own["file"],
            model=own["model"],
            add=own["add"],
            progress=lambda done, share: say(through(_WORK[lang], done, share)),
        )
        if own["output"] is not None and found.additions:
            extended = api.extend_model(found, model=own["model"], output=own["output"])
    if own["json"]:
        written = None if extended is None else asdict(extended)
        show_json({**found.to_mapping(), "written": written})
    else:
        show(api.show_vocabulary(found, extended, lang=lang))
    return 0


VOCABULARY: Final = Command(
    name="vocabulary",
    usage="vocabulary FILE --model MODEL [--add N] [-o FOLDER]",
    about=(
        "terms that the tokenizer breaks up, what adding them saves and costs, and the model with them",
        "被分词器拆碎的术语、加入它们的收益与代价，以及写出加词后的模型",
    ),
    codes=("exit codes: 0 done; 2 a mistake in what was given", "退出码：0 完成；2 输入有误。"),
    options={
        "file": FILE,
        "--model": (
            "the model whose tokenizer it is; with -o its folder, with safetensors weights",
            "分词器所属的模型；使用 -o 时须为含 safetensors 权重的文件夹",
            {"metavar": "MODEL", "required": True},
        ),
        "--add": ("terms to add at most [32]", "最多加入的术语数 [32]", counted(32)),
        "--output": (
            "the new folder to write the model and its tokenizer to",
            "写出模型与分词器的新文件夹",
            {"metavar": "FOLDER", "default": None},
        ),
    },
    run=_run,
)
"""``tunesmith data vocabulary``."""
