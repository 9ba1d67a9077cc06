"""The command plan: what it asks of a search, what it writes, and how mistakes are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith import api
from tunesmith.cli import BUG, DOES_NOT_FIT, FITS, INTERRUPTED, MISTAKE, main
from tunesmith.cli.plan import budget
from tunesmith.recipe import read_recipe
from tunesmith.search import Plans
from tunesmith.search.wish import GOALS
from tunesmith.trainers import TRAINERS

Capture = pytest.CaptureFixture[str]
Planned = Callable[..., Plans]
Answers = Callable[[Plans], list[dict[str, Any]]]

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 512,
}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the test English and 100 columns."""
    for name in ("LC_ALL", "LC_MESSAGES", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return what lets every search have one answer, and lists what was asked."""

    def answer(plans: Plans) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def plan(model: str, **wishes: Any) -> Plans:
            wishes["progress"]("Tracing", "正在追踪")
            asked.append({"model": model, **wishes})
            return plans

        monkeypatch.setattr(api, "plan", plan)
        return asked

    return answer


def test_what_is_asked_is_what_was_typed(planned: Planned, answers: Answers) -> None:
    """Each option reaches the search under its own name; the budget of all epochs is shared among them."""
    asked = answers(planned())
    typed = (
        "plan gpt2 --gpu T4 --gpus 8 --nodes 2 --method lora --data d.jsonl --goal cheapest --budget 60usd "
        "--seq 4096 --global-batch 64 --epochs 3 --prices p.csv --top 2 --packing --sample 500 "
        "--set adapter.use_dora=true --set attn_implementation=eager"
    )
    assert main(typed.split()) == FITS
    (wishes,) = asked
    del wishes["progress"]
    assert wishes == {
        "model": "gpt2", "gpu": "T4", "gpus": 8, "nodes": 2, "method": "lora", "data": "d.jsonl",
        "goal": "cheapest", "budget_usd": 20.0, "sequence_length": 4096, "global_batch": 64,
        "prices": "p.csv", "top": 2, "packing": True, "sample": 500,
        "fixed": {"adapter.use_dora": True, "attn_implementation": "eager"},
    }  # fmt: skip


def test_what_was_not_typed_is_left_to_the_search(planned: Planned, answers: Answers) -> None:
    """Without options, nothing is chosen for the search that it could choose better."""
    asked = answers(planned())
    assert main(["plan", "gpt2"]) == FITS
    chosen = {name: value for name, value in asked[0].items() if value is not None and name != "progress"}
    usual = {"model": "gpt2", "gpus": 1, "nodes": 1, "goal": "fastest", "top": 5}
    assert chosen == {**usual, "fixed": {}, "sample": api.SAMPLE}


def test_one_when_nothing_fits(planned: Planned, answers: Answers, capsys: Capture) -> None:
    """Nothing fits: the exit code is 1, the nearest miss and hardware that would do are shown."""
    answers(planned(fits=False))
    assert main(["plan", "gpt2", "--gpu", "T4"]) == DOES_NOT_FIT
    out, err = capsys.readouterr()
    assert "Nothing fits" in out and "The nearest miss" in out and "A100-80GB" in out
    assert err == ""


def test_zero_when_the_question_was_which_card(planned: Planned, answers: Answers, capsys: Capture) -> None:
    """Cards that hold the run are an answer; that there is none is told by 1."""
    answers(planned(gpu=None))
    assert main(["plan", "gpt2"]) == FITS
    assert "on which card?" in capsys.readouterr().out
    answers(planned(fits=False, gpu=None, hardware=()))
    assert main(["plan", "gpt2"]) == DOES_NOT_FIT


def test_json_is_the_plans_and_nothing_else(planned: Planned, answers: Answers, capsys: Capture) -> None:
    """Standard output holds one object, that of Plans.to_mapping, with what was promised of each plan."""
    plans = planned()
    answers(plans)
    assert main(["plan", "gpt2", "--json"]) == FITS
    out, err = capsys.readouterr()
    assert err == "" and len(out.splitlines()) == 1
    got = json.loads(out)
    assert got == json.loads(json.dumps(plans.to_mapping()))
    assert {"plans", "nearest_miss", "searched"} <= set(got)
    for each in got["plans"]:
        assert {
            "recipe", "peak", "host_bytes", "step_seconds", "tokens_per_second", "hours", "usd", "reasons"
        } <= set(each)  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_first_recipe_is_written_and_reads_back(
    planned: Planned, answers: Answers, tmp_path: Path, lang: str
) -> None:
    """The file of -o is the first plan's recipe, which estimate takes; its epochs are those asked for."""
    plans = planned()
    answers(plans)
    recipe = tmp_path / "recipe.yaml"
    assert main(["plan", "gpt2", "-o", str(recipe), "--epochs", "2", "--lang", lang]) == FITS
    read = read_recipe(recipe)
    assert read.training is not None and read.training.num_train_epochs == 2
    assert read.replace(training=None) == plans.plans[0].recipe
    assert recipe.read_text(encoding="utf-8").startswith("# meta-llama/Meta-Llama-3-8B")
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


@pytest.mark.parametrize(("name", "begins"), [("p.html", "<!DOCTYPE html>"), ("p.svg", "<svg ")])
def test_a_page_and_a_picture_are_written(
    planned: Planned, answers: Answers, tmp_path: Path, name: str, begins: str
) -> None:
    """--report writes a page or a picture, by its suffix, also where nothing fits."""
    place = tmp_path / name
    for fits, code in ((True, FITS), (False, DOES_NOT_FIT)):
        answers(planned(fits=fits))
        assert main(["plan", "gpt2", "--report", str(place), "--lang", "zh"]) == code
        assert place.read_text(encoding="utf-8").startswith(begins)


def test_where_nothing_fits_no_recipe_is_written(
    planned: Planned, answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    """What was in the file stays, and that is said on standard error."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("old")
    answers(planned(fits=False))
    assert main(["plan", "gpt2", "-o", str(recipe)]) == DOES_NOT_FIT
    assert recipe.read_text() == "old"
    assert "nothing fits" in capsys.readouterr().err


def test_an_interrupt_leaves_files_as_they_were(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while recipes are searched exits with 130, says nothing and writes nothing."""

    def plan(*_: object, **__: object) -> Plans:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "plan", plan)
    place = tmp_path / "recipe.yaml"
    assert main(["plan", "gpt2", "-o", str(place)]) == INTERRUPTED
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_ours_is_not_taken_for_an_answer(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw exits with neither 0, 1 nor 2."""
    monkeypatch.setattr(api, "plan", lambda *_, **__: 1 // 0)
    assert main(["plan", "gpt2"]) == BUG
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no model is named"),
        (["gpt2", "gpt3"], "unknown argument gpt3"),
        (["gpt2", "--budget", "fifty"], "Write 50usd, $50 or 50"),
        (["gpt2", "--budget", "50eur"], "Write 50usd, $50 or 50"),
        (["gpt2", "--budget", "0"], "Write 50usd, $50 or 50"),
        (["gpt2", "--budget", "-5"], "--budget"),
        (["gpt2", "--seq", "4k"], "expected a whole number"),
        (["gpt2", "--gpus", "0"], "expected a whole number"),
        (["gpt2", "--gpus", "9" * 30], "expected a whole number"),
        (["gpt2", "--epochs", "0"], "expected a number of passes"),
        (["gpt2", "--method", "loar"], "invalid choice"),
        (["gpt2", "--goal", "best"], "invalid choice"),
        (["gpt2", "--globalbatch", "8"], "Did you mean --global-batch?"),
        (["gpt2", "--xyzzy", "sgd"], "See tunesmith plan --help."),
        (["gpt2", "--export", "axolotl"], "expected TRAINER=DIR"),
        (["gpt2", "--export", "peft=out"], "expected TRAINER=DIR"),
        (["gpt2", "--export", "trl=/no/such/folder"], "does not exist"),
        (["gpt2", "-o", "r.json"], ".yaml or .yml"),
        (["gpt2", "-o", "/no/such/folder/r.yaml"], "does not exist"),
        (["gpt2", "--report", "r.pdf"], ".html or .svg"),
        (["gpt2", "--gpu", "RTX 4091"], "RTX 4090"),
        (["no-such-model", "--gpu", "T4"], "no model is called"),
        (["gpt2", "--\x1b[31m"], "\\x1b[31m"),
    ],
)
def test_two_for_a_mistake_that_is_told_without_a_traceback(
    arguments: list[str], said: str, capsys: Capture
) -> None:
    """What the user can mend exits with 2 and a message that helps, on standard error only."""
    assert main(["plan", *arguments]) == MISTAKE
    out, err = capsys.readouterr()
    assert said in err
    assert out == "" and "Traceback" not in err and "\x1b" not in err


@given(
    st.decimals(min_value="0.01", max_value=10**9, places=2),
    st.sampled_from(["{}", "${}", "{}usd", "{} USD"]),
)
def test_every_spelling_of_a_budget_is_read(amount: object, spelling: str) -> None:
    """Dollars are read with and without their sign or name."""
    assert budget(spelling.format(amount)) == float(str(amount))


@given(st.text(max_size=12))
def test_any_budget_is_read_or_refused(text: str) -> None:
    """Whatever is typed is a positive amount or a mistake that is explained."""
    from argparse import ArgumentTypeError

    try:
        assert budget(text) > 0
    except ArgumentTypeError as refusal:
        assert "Write 50usd" in str(refusal)


def options() -> list[str]:
    """Return the options of plan."""
    names = "gpu gpus nodes method data goal budget seq global-batch epochs prices json report top lang"
    return ["-o", *(f"--{name}" for name in names.split())]


def test_help_names_every_option_in_both_languages(capsys: Capture) -> None:
    """The help of plan comes in English and Chinese, with exit codes."""
    for lang, said in (("en", "exit codes: 0 something fits"), ("zh", "退出码：0 有放得下的")):
        assert main(["plan", "--lang", lang, "--help"]) == FITS
        text = capsys.readouterr().out
        assert said in text
        for option in options():
            assert f"{option} " in text


@pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves
def test_a_real_plan_is_what_an_estimate_of_its_recipe_says(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small model is searched in earnest; the recipe that is written needs what the plan says, and fits."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    recipe = tmp_path / "recipe.yaml"
    asked = ["--gpu", "T4-16GB", "--seq", "64", "--method", "lora", "--top", "1", "--json", "-o", str(recipe)]
    assert main(["plan", str(tmp_path), *asked]) == FITS
    out, err = capsys.readouterr()
    (best,) = json.loads(out)["plans"]
    assert err == ""
    assert main(["estimate", "--recipe", str(recipe), "--json"]) == FITS
    estimate = json.loads(capsys.readouterr().out)
    assert estimate["peak"] == best["peak"] and estimate["margin_bytes"] == best["margin_bytes"]
    assert estimate["recipe"] == best["recipe"]


def test_the_goals_and_trainers_are_those_of_the_engine() -> None:
    """The command line offers what the search can be asked and what exports there are."""
    assert api.GOALS == GOALS
    assert api.TRAINERS == TRAINERS


def test_the_first_plan_is_written_for_other_trainers(
    planned: Planned, answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    """Each trainer gets its files in its folder, and the line that runs them is told."""
    plain = planned().plans[1]  # every trainer can say this one
    answers(planned(plans=(plain,)))
    wanted = [f"--export={trainer}={tmp_path / trainer}" for trainer in ("trl", "axolotl")]
    assert main(["plan", "gpt2", "--data", "d.jsonl", *wanted]) == FITS
    out = capsys.readouterr().out
    assert "The first plan for TRL" in out and "Run there: trl sft --config sft.yaml" in out
    assert "axolotl train" in out
    assert "d.jsonl" in (tmp_path / "trl" / "sft.yaml").read_text(encoding="utf-8")
    assert main(["plan", "gpt2", "--json", *wanted]) == FITS
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_export_that_cannot_be_is_refused_after_the_answer(
    planned: Planned, answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    """The plans are shown all the same; what the trainer cannot run is told, and nothing is written."""
    answers(planned(plans=planned().plans[:1]))  # checkpoints every second layer
    assert main(["plan", "gpt2", "--export", f"torchtune={tmp_path / 'there'}"]) == MISTAKE
    out, err = capsys.readouterr()
    assert "Fits" in out and "torchtune cannot run this recipe" in err
    assert list(tmp_path.iterdir()) == []
