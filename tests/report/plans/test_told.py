"""The sentences over the plans, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tunesmith.report.plans.told import grouped, lacking, lengths_lines, question, verdict
from tunesmith.report.words import tell
from tunesmith.search import Plans, Reason
from tunesmith.search.wish import GOALS
from tunesmith.units import GIB

Planned = Callable[..., Plans]
LENGTHS = {
    "examples": 5000,
    "tokens": {"mean": 311.7, "mean_error": 0.0, "percentiles": {"50": 210, "95": 980, "100": 4100}},
    "truncation": {"sequence_length": 2048, "examples": 12, "tokens_share": 0.0123},
    "batches": {"waste": 0.45},
    "packing": {"efficiency": 0.97},
}


@pytest.mark.parametrize("goal", GOALS)
def test_the_question_names_its_goal_in_words(planned: Planned, goal: str) -> None:
    """Model, cards and goal are in one line; every goal has words of its own in both languages."""
    plans = planned(goal=goal)
    for lang in ("en", "zh"):
        model, card, words = question(plans, tell(lang)).split(" · ")
        assert (model, card) == ("meta-llama/Meta-Llama-3-8B", "1 × RTX 4090")
        assert words != goal


def test_without_a_card_the_question_asks_for_one(planned: Planned) -> None:
    """The question backwards reads as a question; a model given inline is called something."""
    assert question(planned(gpu=None, model=""), tell("en")).startswith(
        "a model given inline · on which card?"
    )


def test_the_verdict_says_whether_something_fits(planned: Planned) -> None:
    """The first word tells; how many were weighed is told either way."""
    assert verdict(planned(), tell("en")).startswith("Fits: the best 3 of 21,504 recipes")
    assert verdict(planned(fits=False), tell("zh")).startswith("都放不下：")


def test_a_miss_that_lacks_no_memory_does_not_say_that_it_does(planned: Planned) -> None:
    """A recipe that is left out for another reason than its size has nothing missing."""
    miss = planned().nearest_miss
    assert miss is not None
    assert lacking(miss, tell("en"))[1] == "39.30 GiB are missing."
    small = replace(miss, needed_bytes=GIB, missing_bytes=GIB - miss.available_bytes)
    assert lacking(small, tell("en")) == ("It needs 1.00 GiB of 23.50 GiB.", "")


def test_reasons_stand_under_titles(planned: Planned) -> None:
    """Why the plan, why nothing else and what more cards would buy are apart; unknown codes are why."""
    codes = ("fits", "one_change", "more_cards", "slower", "unheard")
    reasons = [Reason(code=code, text=code, text_zh=code, values={}) for code in codes]
    told = [[each.code for each in members] for _, members in grouped(reasons)]
    assert told == [["fits", "unheard"], ["one_change", "slower"], ["more_cards"]]


def test_lengths_of_data_are_two_lines_and_an_assumption_none() -> None:
    """Of data, percentiles, what is cut, padding and packing are told; without data there is nothing."""
    first, second = lengths_lines(LENGTHS)
    assert "5,000 examples; median 210 tokens, mean 312, 95 % up to 980, longest 4,100" in first[0]
    assert "12 are cut, 1.2% of all tokens lost; 45% of a batch is padding" in second[0]
    assert "数据：5,000 条" in first[1] and "拼接后填满 97%" in second[1]
    assert lengths_lines({}) == []
    remarked = {**LENGTHS, "remarks": ["Chat template: chatml."], "remarks_zh": ["对话模板：chatml。"]}
    assert lengths_lines(remarked)[2:] == [("Chat template: chatml.", "对话模板：chatml。")]
    sampled = {**LENGTHS, "tokens": {**LENGTHS["tokens"], "mean_error": 4.6}}  # type: ignore[dict-item]
    assert "mean 312 ± 5" in lengths_lines(sampled)[0][0]
