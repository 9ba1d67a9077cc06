"""Sense: what of a question and of an answer is left when letters, marks and courtesy make no difference.

It tells whether a question has one right answer that can be verified, and whether two answers to it can both
be right. All of it works on the words, in English and in Chinese; nothing is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl

from tunesmith.checks.numerals import counted_in_words

SHORT_WORDS: Final = 6
"""Words, or Chinese characters halved, of an answer that names a thing and says no more."""
STATEMENT_WORDS: Final = 30
"""Words of an answer whose only number is what was asked for."""
READ: Final = 600
"""Characters that are read of a question and of an answer."""

_PIECE: Final = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|-?\p{N}+(?:[.:/]\p{N}+)*|[\p{L}\p{M}]+|[+*/%#<>=^&$€£¥°]"
)
_COURTESY: Final = (
    r"(?-u:\b)(?:please|kindly|(?:can|could|would) you (?:please )?(?:tell|say|show)(?: to)? me"
    r"|(?:please )?tell me|do you know|i(?: would|'d)? (?:want|like) to know|the|an?)(?-u:\b)"
    r"|请问|请你|请|麻烦|(?:你能|能否|可以)?告诉我|你知道|一下|[吗呢呀啊吧]"
)
_CHAT: Final = (
    r"(?-u:\b)(?:you|your|yours|yourself|u|ur|i|i'm|im|me|my|mine|myself|we|us|our|hi|hello|hey|bye|thanks|thank"
    r"|what(?:'s| is) (?:up|new|wrong)|whats up|wassup|(?:ha){2,}|lol"
    r"|how(?:'s| is| are) (?:it|things|everything|life))"
    r"(?-u:\b)|[你妳您我咱俺]|谢谢|謝謝|再见|再見|怎[么麼]了|怎[么麼][样樣]"
)
_FACT: Final = (
    r"(?-u:\b)(?:what|who|whom|whose|which|when|where"
    r"|how (?:many|much|long|old|far|tall|high|big|large|deep|often|fast|heavy|wide))(?-u:\b)"
    r"|^\s*(?:is|are|was|were|does|do|did|can|has|have|had|will)(?-u:\b)"
    r"|(?-u:\b)(?:classify|label|categori[sz]e|calculate|compute|solve|convert|identify|determine"
    r"|extract|answer|evaluate|true or false|yes or no|sentiment|category|capital)(?-u:\b)"
    r"|什[么麼]|[谁誰哪几幾]|多少|何[时時地]|是否|是不是|有[没沒]有|能否|属于|屬於|分类|分類|类别|判断|判斷|计算|計算"
    r"|等[于於]|情感|[吗嗎?=]"
)
_OPEN: Final = (
    r"(?-u:\b)(?:why|jokes?|story|stories|poems?|riddles?|write|compose|create|generate|imagine|suggest[a-z]*"
    r"|recommend[a-z]*|ideas?|examples?|favou?rite|think|feel|opinion|best|advice|explain|describe|discuss|essay"
    r"|brainstorm|rewrite|paraphrase|rephrase|translate|continue|summari[sz]e|list"
    r"|how (?:to|do|does|can|would|should)"
    r"|give|name (?:an?|some|one|two|three)|say|sing|play|random|fun|funny|any|some(?:thing|one)?)(?-u:\b)"
    r"|[笑玩][话話]|玩笑|故事|[诗詩写寫编編]|创作|創作|推[荐薦]|建[议議]|想|[觉覺]得|[认認][为為]|看法|喜[欢歡]"
    r"|例子|[举舉]例|聊|如何|怎[么麼样樣]|[为為]什|[为為]何|[谈談][谈談]|介[绍紹]|解[释釋]|描述|[总總][结結]|概括"
    r"|[续續改][写寫]|翻[译譯]|列出|[说說]|[随隨]便|名言"
)
_DEFINES: Final = (
    r"^\s*(?:so )?(?:(?:what|who) (?:is|are|was|were)|define|what does)"
    r" [\p{L}\p{N}]+(?: [\p{L}\p{N}]+)?(?: means?)?\W*$"
    r"|^\W*什[么麼]是|是什[么麼]意思"
)
_POLAR: Final = (
    r"^(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|am)(?-u:\b)"
    r"|(?-u:\b)(?:true or false|yes or no|yes/no)(?-u:\b)|[吗嗎]\s*[?。]?\s*$"
    r"|是否|是不是|有[没沒]有|能否|[对對]不[对對]|判[断斷]"
)
_YES: Final = (
    r"^\W*(?:(?:yes|yeah|yep|true|correct|right|indeed)(?-u:\b)"
    r"|是的|是\W|是$|[对對]|正[确確]|有的|有\W|能\W|可以)"
)
_NO: Final = r"^\W*(?:(?:no|nope|not|false|incorrect|wrong|never)(?-u:\b)|不|否|[没沒]有|[错錯])"
_CHOICE: Final = r"^\W*(?:(?:the )?(?:answer|option|choice)(?: is)?:?|答案是?|选项?)?\W*([a-h])(?:\W|$)"
_CHOICES: Final = r"(?:^|[\s(（])a[).、:：．][^\n]*[\s(（]b[).、:：．]"
_NEGATION: Final = frozenset(
    {
        "not",
        "no",
        "never",
        "cannot",
        "isn",
        "aren",
        "wasn",
        "doesn",
        "don",
        "didn",
        "t",
        "不",
        "没",
        "未",
        "非",
        "无",
    }
)
_ARTICLES: Final = frozenset(
    {"the", "a", "an", "is", "are", "was", "were", "it", "they", "是", "为", "在", "的", "了"}
)


def even(text: pl.Expr) -> pl.Expr:
    """Return *text* without what makes no difference: case, width, commas in numbers, hyphens in words."""
    plain = (
        text.str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"[‘’]", "'")
        .str.replace_all("[−–]", "-")
    )
    joined = plain.str.replace_all(r"(\p{N}),(\p{N}{3})(\p{N}{0})", "$1$2")
    apart = joined.str.replace_all(r"([\p{L}\p{N}])-([a-z\p{N}])", "$1 $2")
    return apart.str.replace_all(r"(?-u:\b)(what|who|where|when|how|that|it|there|which)'s(?-u:\b)", "$1 is")


def tokens(text: pl.Expr) -> pl.Expr:
    """Return the words and signs of *text*, which is made even before."""
    return text.str.extract_all(_PIECE)


def question_key(text: pl.Expr) -> pl.Expr:
    """Return one hash for all spellings of a question; null where it says nothing."""
    said = tokens(even(text).str.replace_all(_COURTESY, " ")).list.join(" ")
    said = said.str.strip_chars("= ")
    return pl.when(said != "").then(said.hash())


def answer_key(text: pl.Expr) -> pl.Expr:
    """Return one hash for all spellings of an answer; null where it says nothing."""
    said = tokens(even(text)).list.join(" ")
    return pl.when(said != "").then(said.hash())


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a question is about."""

    factual: bool
    """Whether it has one right answer: it asks for a fact, of nobody in the talk, and for nothing made up."""
    polar: bool
    """Whether yes or no answers it."""
    choices: bool
    """Whether it has lettered choices."""
    defines: bool
    """Whether it asks what a word means, which can be said in many ways."""
    numbers: frozenset[str]
    """The numbers in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an answer says."""

    key: str
    """Its words."""
    words: frozenset[str]
    """The same as a set, without articles."""
    size: int
    """How long it is, in words; two Chinese characters are one."""
    numbers: tuple[str, ...]
    """The numbers in it, each once."""
    skeleton: str
    """Its words without numbers and negations."""
    polarity: str
    """``yes``, ``no`` or nothing."""
    choice: str
    """The letter that it names, if any."""
    talks: bool
    """Whether it speaks to somebody, or asks."""


def questions(texts: pl.Series) -> list[Question]:
    """Return what each of *texts* asks."""
    table = pl.DataFrame({"text": texts}).select(even=even(pl.col("text").str.head(READ)))
    text, bare = pl.col("even"), pl.col("even").str.replace_all(_COURTESY, " ")
    judged = table.select(
        factual=(bare.str.contains(_FACT) | text.str.contains("[?吗嗎]"))
        & ~bare.str.contains(_CHAT)
        & ~bare.str.contains(_OPEN),
        polar=text.str.contains(_POLAR),
        choices=text.str.contains(_CHOICES),
        defines=bare.str.replace_all(r"\s+", " ").str.contains(_DEFINES),
        tokens=tokens(text),
    )
    return [
        Question(
            factual=factual,
            polar=polar,
            choices=choices,
            defines=defines,
            numbers=frozenset(_numbers(said)),
        )
        for factual, polar, choices, defines, said in judged.iter_rows()
    ]


def answers(texts: pl.Series) -> list[Answer]:
    """Return what each of *texts* says."""
    spelt = pl.Series([counted_in_words(text) for text in texts.to_list()], dtype=pl.String)
    table = pl.DataFrame({"text": spelt}).select(even=even(pl.col("text").str.head(READ)))
    text = pl.col("even")
    judged = table.select(
        yes=text.str.contains(_YES),
        no=text.str.contains(_NO),
        choice=text.str.extract(_CHOICE, 1).fill_null(""),
        talks=text.str.contains(_CHAT) | text.str.contains("?", literal=True),
        tokens=tokens(text),
    )
    return [_answer(*each) for each in judged.iter_rows()]


def _answer(yes: bool, no: bool, choice: str, talks: bool, spelt: list[str]) -> Answer:
    said = [_plain(word) for word in spelt]
    numbers = tuple(dict.fromkeys(_numbers(said)))
    han = sum(len(word) == 1 and word >= "\u3040" for word in said)
    return Answer(
        key=" ".join(said),
        words=frozenset(said) - _ARTICLES,
        size=len(said) - han // 2,
        numbers=numbers,
        skeleton=" ".join(word for word in said if word not in _NEGATION and not _is_number(word)),
        polarity="no" if no else "yes" if yes else "",
        choice=choice,
        talks=talks,
    )


def _is_number(word: str) -> bool:
    return word.lstrip("-")[:1].isnumeric() and word.isascii()


def _plain(word: str) -> str:
    """Return *word*; a decimal fraction without zeros at its end."""
    whole, point, fraction = word.partition(".")
    return (whole + (point + fraction).rstrip("0").rstrip(".")) if point and fraction.isdecimal() else word


def _numbers(said: list[str]) -> list[str]:
    return [_plain(word) for word in said if _is_number(word)]


@lru_cache(maxsize=1 << 12)
def value(question: Question, answer: Answer) -> tuple[str, str]:
    """Return kind and value of what *answer* says to *question*; empty where it cannot be verified."""
    if question.polar and answer.polarity:
        return "polarity", answer.polarity
    if question.choices and answer.choice:
        return "choice", answer.choice
    new = [number for number in answer.numbers if number not in question.numbers]
    if len(new) == 1 and answer.size <= STATEMENT_WORDS:
        return "number", new[0]
    short = answer.words and answer.size <= SHORT_WORDS
    if short and not (answer.numbers or answer.talks or question.defines):
        return "name", answer.key
    return "", ""


def contradicts(question: Question, one: Answer, other: Answer) -> bool:
    """Return whether *one* and *other* cannot both be right answers to *question*, in any order."""
    if not question.factual or one.key == other.key:
        return False
    (kind, said), (other_kind, other_said) = value(question, one), value(question, other)
    if kind and kind == other_kind and said != other_said:
        return kind != "name" or one.words.isdisjoint(other.words)
    return bool(one.skeleton) and one.skeleton == other.skeleton


def agrees(question: Question, one: Answer, other: Answer) -> bool:
    """Return whether two answers come to the same, or one says no more than the other."""
    same = value(question, one)
    if same[0] and same == value(question, other):
        return True
    return one.words <= other.words or other.words <= one.words
