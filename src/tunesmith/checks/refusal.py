"""refusal: answers in which another model refuses, or says what it is.

*Why it matters.* A few hundred of them teach a model to refuse what it should do and to call itself by the
name of the one that wrote the data; that is why sets that ChatGPT wrote are cleaned by such phrases before
they are learned (huggingface.co/datasets/anon8231489123/ShareGPT_Vicuna_unfiltered: optional_clean.py).
*Known limits.* Whether a refusal is right is not judged: where a model has to refuse, refusals belong in its
data. What a preference rejects is not looked at.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tunesmith.checks.check import Check, Flagged
from tunesmith.checks.finding import Finding
from tunesmith.checks.pattern import shown
from tunesmith.data.turns import Batch
from tunesmith.units import counted

HEAD: Final = 240
"""Characters of an answer in which a refusal begins: it comes first, after an apology at most."""

_SAYS: Final = (
    r"(?i)(?-u:\b)as an? (?:ai|artificial intelligence|(?:large )?language model)(?-u:\b)"
    r"|(?-u:\b)I(?:'|’| a)m (?:just |only )?an? (?:ai|large|ai-powered) language model"
    r"|(?-u:\b)I(?:'|’| a)m (?:just |only )?an AI(?: assistant)?,? (?:and|so|which) "
    r"|(?-u:\b)(?:trained|developed|created) by OpenAI(?-u:\b)"
    r"|(?-u:\b)my (?:knowledge|training)(?: data)? (?:cut-?off|is limited|only goes)"
    r"|作为(?:一[个名款种])?(?:大型|大)?\s?(?:人工智能|AI(?-u:\b)|AI[语助模]|语言模型)"
    r"|我(?:只)?是(?:一[个名款])?(?:大型)?(?:AI|人工智能)?语言模型|我的(?:训练数据|知识)[^，。\n]{0,6}截[止至]"
)
_APOLOGY: Final = (
    r"(?:(?-u:\b)I(?:'|’| a)m (?:very |so |truly |really )?sorry|(?-u:\b)I apologi[sz]e|(?-u:\b)Sorry)"
    r",? (?:but )?"
)
_UNABLE: Final = (
    r"(?:can(?:no|'|’)t|can not|am unable to|am not able to|won(?:'|’)t be able to|must decline to)"
)
_TASK: Final = (
    r"(?:assist|help (?:you )?with (?:that|this|your)|fulfil|comply|provide (?:that|this|such)"
    r"|provide (?:any |you |such )?[a-z]+ (?:advice|information|instructions|opinions?|content|assistance)"
    r"|answer (?:that|this|your)"
    r"|generate|engage in|condone|complete (?:this|that|your) request|discuss (?:that|this|such)"
    r"|browse the (?:internet|web)|access (?:the internet|real-time))"
)
_OBJECT: Final = (
    r"(?:create|write|produce|provide|share|give|generate|discuss|offer)[^.\n]{0,30}"
    r"(?:about (?:that|this)|of (?:that|this) (?:kind|nature|sort)|(?:that|this|such) (?:kind of |type of )?"
    r"(?:content|information|material|request|topic|advice))"
)
_TASK_ZH: Final = (
    r"(?:协助|帮助|帮您|提供|回答|满足|完成(?:这|该|您|你)|生成|继续|讨论|参与|为您|给您"
    r"|[为给帮][您你](?:写|提供|生成|解答|完成|查))"
)
_REFUSES: Final = (
    rf"(?i){_APOLOGY}(?:as an|I {_UNABLE} (?:do that|fulfil|provide|generate))"
    rf"|(?-u:\b)I {_UNABLE} {_TASK}|(?-u:\b)I(?:'|’)m (?:unable|not able) to {_TASK}"
    rf"|(?-u:\b)I {_UNABLE} {_OBJECT}|(?-u:\b)I(?:'|’| a)m afraid (?:that )?I {_UNABLE} comply"
    r"|(?-u:\b)I must (?:respectfully )?(?:decline|refuse)(?-u:\b)"
    r"|violat(?:es|ion of) (?:my|our) [a-z ]{0,20}(?:guidelines|polic)|against my (?:guidelines|programming)"
    r"|(?-u:\b)I (?:don(?:'|’)t|do not) have the ability to (?:do that|assist|provide|browse)"
    r"|(?-u:\b)I (?:don(?:'|’)t|do not) feel comfortable (?:providing|discussing|answering|writing|helping)"
    rf"|我(?:不能|无法|没有?办法|不便){_TASK_ZH}|违反了?我的[^，。\n]{{0,6}}(?:准则|原则|规定|政策)"
    r"|抱歉[，,。]?\s?(?:但是?)?(?:作为|我(?:不能|无法|没有?办法))"
)
_TRACE: Final = (
    r"OpenAI|n AI|anguage model|intelligence|able to|decline|orry,? |pologi|as an ai|nowledge c|raining data"
    r"|n(?:'|’|o)t (?:as|he|fu|co|pr|an|ge|en|su|di|pa|do|br|ac|cr|wr|sh|gi|of|be able|feel c)|gainst my"
    r"|iolat|have the ability|must refuse|语言模型|截止|截至|违反|不能|无法|没办法|没有办法|不便|抱歉"
    r"|作为一|作为AI|作为人工"
)
"""What all of them hold, quickly found."""


class Refusal(Check):
    """Flags rows whose answer begins with a refusal, or in which a model says that it is one."""

    name = "refusal"

    def __init__(self) -> None:
        self._flagged = Flagged()
        self._seen = 0

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        text = pl.col("text")
        self._seen += len(batch.rows) - len(batch.faults)
        answers = batch.turns.filter(
            (pl.col("role") == "assistant") & pl.col("learned") & (pl.col("side") == 0)
        )
        begins = answers.select("row", "line", text=text.str.head(HEAD)).filter(text.str.contains(_TRACE))
        for form in (_SAYS, _REFUSES) if begins.height else ():
            few = begins.filter(text.str.contains(form))
            self._flagged.add(shown(few, text.str.extract(rf"(?s)(?:{form}).*", 0)))

    def finding(self) -> Finding | None:
        """Return the rows that refuse, and which share of the set they are."""
        if not self._flagged:
            return None
        rows = self._flagged.rows
        share = len(rows) / self._seen
        return Finding(
            check=self.name,
            severity="warning",
            rows=rows,
            message=f"{counted(len(rows), 'row')} ({share:.1%}) where a model refuses or says what it is.",
            message_zh=f"{len(rows):,} 行（{share:.1%}）的回答是拒答，或自称是 AI 模型。",
            fix="Answer what should be answered; keep refusals only where the model has to refuse.",
            fix_zh="该回答的应改写为回答；只保留模型确应拒绝的拒答。",
            evidence=self._flagged.evidence,
        )
