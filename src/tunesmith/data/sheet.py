"""A sheet of questions for people who write or check reference answers, as CSV or as one page of HTML.

What strangers wrote stays text: a cell of CSV that a spreadsheet would take for a formula begins with an
apostrophe (OWASP, "CSV Injection"), and on the page everything is escaped and nothing is loaded.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunesmith.outputs import checked_output, write_text

SUFFIXES: Final = (".csv", ".html")
"""What a sheet's file ends in."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a cell must not begin with (owasp.org/www-community/attacks/CSV_Injection), full-width forms too."""

_HEAD: Final = (
    ("row", "行"),
    ("task", "任务类型"),
    ("context", "上下文"),
    ("question", "问题"),
    ("answer in the data", "数据中的回答"),
    ("reference answer", "参考答案"),
    ("what a good answer must hold", "好回答须包含的要点"),
    ("author", "作者"),
)
RUBRIC: Final = (
    (
        "Write the answer you would want, from what you know and can check; mend the one in the data or keep "
        "it. List the facts without which an answer is wrong. Strike out a question that no one can answer.",
        "请依据你所知且可查证的内容写出理想答案；数据中的回答可以修改或保留。"
        "列出缺少即判错的事实。无人能答的问题请划去。",
    ),
    (
        "Scores: 2 right and complete; 1 right, something missing; 0 wrong, or not an answer.",
        "评分：2 正确且完整；1 正确但有遗漏；0 错误或答非所问。",
    ),
)
"""What authors are asked to do, in English and in Chinese."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One question of the sheet."""

    row: int
    """Its row in the evaluation set."""
    task: str
    """The kind of task."""
    context: str
    """What is said before the question."""
    question: str
    """The last thing that is asked."""
    answer: str
    """What the data answers."""


def write_sheet(entries: Iterable[Entry], path: Path) -> Path:
    """Write a sheet of *entries* to *path*, whole or not at all, and return its place.

    Raises OutputError where nothing can be written there.
    """
    place = checked_output(path, suffixes=SUFFIXES)
    text = (_page if place.suffix.lower() == ".html" else _table)(list(entries))
    write_text(place, text)
    return place


def _cell(text: str) -> str:
    """Return *text* as a spreadsheet takes it for text."""
    return f"'{text}" if text.lstrip(" \n").startswith(FORMULA) else text


def _table(entries: list[Entry]) -> str:
    out = io.StringIO()
    out.write("\ufeff")  # without it Excel takes UTF-8 for a code page
    table = csv.writer(out, quoting=csv.QUOTE_ALL)
    table.writerow([f"{english} {chinese}" for english, chinese in _HEAD])
    for each in entries:
        texts = (each.task, each.context, each.question, each.answer, "", "", "")
        table.writerow([str(each.row), *map(_cell, texts)])
    for both in RUBRIC:
        table.writerow(["", *both, *[""] * (len(_HEAD) - 3)])
    return out.getvalue()


_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;"
    "padding:0 1rem}section{border-top:1px solid #8886;padding:1rem 0}pre{white-space:pre-wrap;font:inherit;"
    "margin:.2rem 0 .8rem}label,b{display:block;font-size:.85rem;opacity:.75}textarea{width:100%;"
    "min-height:5rem;font:inherit;box-sizing:border-box}button{position:sticky;bottom:1rem;font:inherit;"
    "padding:.5rem 1rem}"
)
_SCRIPT: Final = (
    "document.querySelector('button').onclick=()=>{"
    "const rows=[...document.querySelectorAll('section')].map(s=>"
    "JSON.stringify({row:+s.dataset.row,prompt:s.querySelector('.question').textContent,"
    "completion:s.querySelector('.answer').value,rubric:s.querySelector('.rubric').value}));"
    "const a=document.createElement('a');a.href=URL.createObjectURL(new Blob([rows.join('\\n')+'\\n']));"
    "a.download='answers.jsonl';a.click()}"
)


def _page(entries: list[Entry]) -> str:
    rubric = "".join(f"<p>{html.escape(en)}</p><p lang=zh>{html.escape(zh)}</p>" for en, zh in RUBRIC)
    body = "".join(map(_section, entries))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none';style-src 'unsafe-inline';"
        "script-src 'unsafe-inline'\"><meta name=viewport content='width=device-width'>"
        f"<title>Evaluation sheet 评测题单</title><style>{_STYLE}</style>"
        f"<h1>Evaluation sheet <span lang=zh>评测题单</span></h1>{rubric}{body}"
        f"<button>Save as JSON Lines 保存</button><script>{_SCRIPT}</script></html>\n"
    )


def _section(entry: Entry) -> str:
    label = {english: f"{english} <span lang=zh>{chinese}</span>" for english, chinese in _HEAD}
    answer, rubric = label["reference answer"], label["what a good answer must hold"]
    before = html.escape(entry.context)
    context = f"<b>{label['context']}</b><pre>{before}</pre>" if before else ""
    return (
        f"<section data-row={entry.row}>"
        f"<b>{label['row']} {entry.row} · {html.escape(entry.task)}</b>{context}"
        f"<b>{label['question']}</b><pre class=question>{html.escape(entry.question)}</pre>"
        f"<label>{answer}<textarea class=answer>\n{html.escape(entry.answer)}</textarea></label>"
        f"<label>{rubric}<textarea class=rubric></textarea></label></section>"
    )
