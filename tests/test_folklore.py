"""Folk formulas: to the digit of their own worked examples, and honest beside an exact figure."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.folklore import FOLKLORE, Figure, Folk, Interval, Known, Run, Worked, compare
from tunesmith.units import GB, GIB

EXAMPLES = [
    (folk, worked, figure)
    for folk in FOLKLORE.values()
    for worked in folk.worked
    for figure in worked.figures
]


def test_every_row_of_the_folklore_is_here() -> None:
    """The seventeen formulas that people use are all there, under their ids."""
    assert {key.partition(".")[0] for key in FOLKLORE} == {
        "fp32-16", "mixed-16", "ultimate", "twenty", "four-x", "fp16-four-parts", "three-x", "lora-count",
        "lora-total", "qlora-total", "checkpointing", "accumulation", "mixed-precision", "seq-squared",
        "flash-30", "margin", "cards",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("folk", "worked", "figure"),
    EXAMPLES,
    ids=lambda value: getattr(value, "id", None) or getattr(value, "text", "") or value.told[:12],
)
def test_worked_examples_come_out_to_the_digit(folk: Folk, worked: Worked, figure: Figure) -> None:
    """Each number of a worked example is what the formula gives, printed with as many digits in its unit."""
    parts = folk.parts(worked.run)
    assert parts is not None
    answer = parts[figure.part] if figure.part else folk.compute(worked.run)
    assert answer is not None
    count = answer.low if figure.edge == "low" else answer.high
    assert count is not None
    assert f"{count / figure.unit:.{len(figure.text.partition('.')[2])}f}" == figure.text


@pytest.mark.parametrize("folk", FOLKLORE.values(), ids=lambda folk: folk.id)
def test_every_formula_is_explained_in_both_languages(folk: Folk) -> None:
    """Title, teller, discrepancy and mechanism exist in English and in Chinese, and are not the same text."""
    for text in (folk.title, folk.teller, folk.discrepancy, folk.mechanism):
        assert text.en.isprintable() and not re.search(r"[一-鿿]", text.en)
        assert re.search(r"[一-鿿]", text.zh)
    assert folk.formula and folk.beside


@given(
    parameters=st.integers(1, 10**12),
    batch=st.integers(1, 256),
    sequence=st.integers(1, 1 << 17),
    method=st.sampled_from(["full", "freeze", "lora", "qlora"]),
    checkpointing=st.booleans(),
    cards=st.integers(1, 64),
)
def test_answers_are_whole_and_never_negative(
    parameters: int, batch: int, sequence: int, method: str, checkpointing: bool, cards: int
) -> None:
    """Whatever the run, every answer is an int interval whose parts sum to it."""
    run = Run(
        parameters=parameters, method=method, batch=batch, sequence=sequence, hidden=4096, layers=32,  # type: ignore[arg-type]
        gradient_checkpointing=checkpointing, cards=cards, trainable_parameters=parameters // 100,
    )  # fmt: skip
    for folk in FOLKLORE.values():
        parts, total = folk.parts(run), folk.compute(run)
        assert (parts is None) == (total is None)
        if parts is not None and total is not None:
            assert sum(part.low for part in parts.values()) == total.low >= 0
            assert all(type(part.low) is int for part in parts.values())


def test_formulas_keep_to_their_method() -> None:
    """A formula for full fine-tuning says nothing about QLoRA, and the other way round."""
    full, qlora = Run(parameters=7 * GB), Run(parameters=7 * GB, method="qlora", trainable_parameters=10**7)
    assert FOLKLORE["twenty"].compute(qlora) is None
    assert FOLKLORE["qlora-total"].compute(full) is None
    assert FOLKLORE["qlora-total"].compute(qlora) == Interval(3_660_000_000, None)


def test_recommendations_are_for_the_sizes_that_were_told() -> None:
    """Cards are told for 7, 13 and 70 B, and Llama-3-8B counts as a 7B; nobody told of 30 B."""
    assert FOLKLORE["cards"].compute(Run(parameters=8_030_261_248)) == Interval(80 * GB, 640 * GB)
    assert FOLKLORE["cards"].compute(Run(parameters=30 * GB)) is None


def test_comparison_signs_the_error() -> None:
    """Told above the exact figure is positive, below negative, inside an interval zero."""
    assert Interval(10, 20).error(5) == 5
    assert Interval(10, 20).error(15) == 0
    assert Interval(10, 20).error(26) == -6
    assert Interval(10, None).error(10**12) == 0


def test_compare_sets_each_formula_beside_its_figure() -> None:
    """Mistral-7B in pure bf16 with foreach AdamW holds 10.00 bytes a parameter; twenty are told."""
    run = Run(parameters=7_241_732_096, batch=1, sequence=512, hidden=4096, layers=32)
    exact = {"allocated_bytes": 72_434_837_504, "weights": 14_483_464_192}
    by_key = {(c.folk.id, c.part): c for c in compare(run, truth_bytes=exact)}
    twenty = by_key["twenty", ""]
    assert twenty.error == 20 * run.parameters - exact["allocated_bytes"]
    assert twenty.error_share == pytest.approx(1.0, abs=0.001)
    assert by_key["mixed-16", "weights"].error == 0
    assert by_key["fp32-16", "weights"].error == 14_483_464_192
    ultimate = by_key["ultimate", ""]
    assert (ultimate.exact, ultimate.error, ultimate.error_share) == (None, None, None)
    assert ("lora-count", "") not in by_key


def test_compare_checks_rules_against_sibling_runs() -> None:
    """A rule of thumb is applied to the sibling's exact figure and judged by this run's."""
    run = Run(
        parameters=7 * GB,
        accumulation_steps=4,
        known=Known(whole_batch_allocated_bytes=40 * GIB, half_sequence_activation_bytes=GIB),
    )
    found = {
        c.folk.id: c
        for c in compare(run, truth_bytes={"allocated_bytes": 30 * GIB, "activation_bytes": 2 * GIB})
    }
    assert found["accumulation"].error == -20 * GIB
    assert found["seq-squared"].error == 2 * GIB


def test_lora_count_agrees_with_peft() -> None:
    """On plain linear layers the told count is PEFT's own."""
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")

    class Toy(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.q_proj, self.v_proj = torch.nn.Linear(48, 48), torch.nn.Linear(48, 16)

    model = peft.get_peft_model(Toy(), peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    run = Run(parameters=3136, method="lora", lora_rank=4, adapted=((48, 48), (48, 16)))
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    (count,) = (
        c for c in compare(run, truth_bytes={"trainable_parameters": trainable}) if c.folk.id == "lora-count"
    )
    assert count.error == 0
