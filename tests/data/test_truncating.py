"""What is truncated fits, keeps its last answer whole or is refused, and what it lost is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tunesmith.data.chat import Encoder
from tunesmith.data.formats import Example, examples, recognise
from tunesmith.data.reading import Row, read_rows
from tunesmith.data.tokenizer import choose_template, load_tokenizer
from tunesmith.data.truncating import POLICIES, Fitted, Losses, Truncating, truncate
from tunesmith.errors import DataError

END = "<|im_end|>"


def said(*turns: tuple[str, str], row: int = 0) -> Example:
    messages = tuple({"role": role, "content": content} for role, content in turns)
    return Example(
        row=row,
        place=f"line {row + 1}",
        messages=messages,
        learned=tuple(role == "assistant" for role, _ in turns),
    )


@pytest.fixture(scope="module")
def encoder(tokenizer_folder: Path) -> Iterator[Encoder]:
    files = load_tokenizer(tokenizer_folder)
    with Encoder(files, choose_template(files, "chatml")) as made:
        yield made


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))


def text_of(fitted: Fitted, tokenizer: Tokenizer) -> str:
    return tokenizer.decode(list(fitted.encoded.ids), skip_special_tokens=False)


WORDS = st.text("ab 你\n", min_size=1, max_size=30).filter(str.strip)
CHATS = st.builds(
    lambda system, pairs: said(
        *([("system", system)] if system else []),
        *(turn for asked, answer in pairs for turn in (("user", asked), ("assistant", answer))),
    ),
    st.one_of(st.just(""), WORDS),
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5),
)


@settings(deadline=None, max_examples=60)
@given(chats=st.lists(CHATS, min_size=1, max_size=6), kept=st.integers(8, 120))
def test_turns_are_dropped_from_the_left(
    encoder: Encoder, tokenizer: Tokenizer, chats: list[Example], kept: int
) -> None:
    """The result fits, begins with the system message, ends with the last answer, drops no turn too many."""
    chosen = Truncating(sequence_length=kept)
    for chat, fitted in zip(chats, truncate(chats, encoder, chosen), strict=True):
        system = [m for m in chat.messages if m["role"] == "system"]
        rest = [m for m in chat.messages if m["role"] != "system"]

        def left(pairs: int, head: list = system, turns: list = rest) -> Example:  # type: ignore[type-arg]
            return said(*((str(m["role"]), str(m["content"])) for m in (*head, *turns[2 * pairs :])))

        lengths = [next(encoder.encode([left(n)])).length for n in range(len(rest) // 2)]
        fits = [n for n, length in enumerate(lengths) if length <= kept]
        if not fits:
            assert fitted.encoded.fault and fitted.encoded.length == 0
            continue
        assert fitted.dropped_turns == 2 * fits[0]
        assert fitted.encoded.length == lengths[fits[0]] <= kept
        assert text_of(fitted, tokenizer) == "".join(
            f"<|im_start|>{m['role']}\n{m['content']}{END}\n" for m in left(fits[0]).messages
        )


@settings(deadline=None, max_examples=60)
@given(chats=st.lists(CHATS, min_size=1, max_size=6), kept=st.integers(1, 120))
def test_an_answer_that_is_cut_is_not_taught_to_stop(
    encoder: Encoder, tokenizer: Tokenizer, chats: list[Example], kept: int
) -> None:
    """Cut on the right, an example is its own first tokens and mask; a cut answer has no end to learn."""
    whole = list(encoder.encode(chats, ids=True))
    for before, fitted in zip(
        whole, truncate(chats, encoder, Truncating(sequence_length=kept, policy="cut_right")), strict=True
    ):
        after = fitted.encoded
        if before.length <= kept:
            assert after == before
        elif before.learned[0][0] >= kept:
            assert "nothing to learn in its first" in after.fault
        else:
            assert (after.ids, after.mask()) == (before.ids[:kept], before.mask()[:kept])
            assert fitted.cut and fitted.lost_learned_tokens == sum(before.mask()[kept:])
            for begin, stop in before.learned:
                said_whole = tokenizer.decode(list(before.ids[begin:stop]), skip_special_tokens=False)
                said_cut = tokenizer.decode(list(after.ids[begin:stop]), skip_special_tokens=False)
                assert END not in said_cut or said_cut.startswith(said_whole.rstrip("\n"))


def test_what_cannot_be_kept_whole_is_refused_or_cut_by_name(encoder: Encoder) -> None:
    """One answer too long for any sequence is refused; with keep_end=False its end is cut, and counted."""
    long = said(("user", "Tell me."), ("assistant", "word " * 100), row=7)
    (refused,) = truncate([long], encoder, Truncating(sequence_length=50))
    assert refused.encoded.fault.endswith("tokens, expected at most 50")
    losses = Losses()
    settings_ = Truncating(sequence_length=50, keep_end=False)
    (cut,) = truncate([long], encoder, settings_, losses=losses)
    assert cut.cut and cut.encoded.length == 50 and not cut.encoded.fault
    assert (losses.cut, losses.refused, losses.named) == (1, 0, {"cut": [7]})
    assert losses.learned_tokens == cut.lost_learned_tokens > 0


def test_every_example_is_counted_once(encoder: Encoder, corpus: Path) -> None:
    """Over real chats: what is kept and what is lost are all there was, for every policy."""
    rows = [row for row in read_rows(corpus / "chats.jsonl") if isinstance(row, Row)][:60]
    form = recognise(rows, where="chats")
    given_ = [example for row in rows for example in examples(row, form)]
    total = sum(each.length for each in encoder.encode(given_))
    middle = sorted(each.length for each in encoder.encode(given_))[30]
    for policy in POLICIES:
        losses = Losses()
        done = list(
            truncate(given_, encoder, Truncating(sequence_length=middle, policy=policy), losses=losses)
        )
        assert [each.encoded.row for each in done] == [each.row for each in given_]
        assert sum(each.encoded.length for each in done) + losses.tokens == total
        assert losses.whole + losses.shortened + losses.cut + losses.refused == 60
        assert all(each.encoded.length <= middle for each in done)
        mapping = losses.to_mapping()
        assert mapping["whole"] >= 30 and mapping["tokens"] > 0
        fate = {"drop_turns_from_left": "shortened", "refuse": "refused", "cut_right": "cut"}[policy]
        assert mapping[fate] > 0 and len(mapping["named"][fate]) <= 5


def test_answers_that_touch_and_tools_between_are_dropped_whole(encoder: Encoder) -> None:
    """A question goes with all that answers it, so that no tool's answer is left without its call."""
    chat = said(
        ("user", "one " * 20),
        ("assistant", "call"),
        ("tool", "result " * 20),
        ("assistant", "first"),
        ("user", "two"),
        ("assistant", "second"),
    )
    (fitted,) = truncate([chat], encoder, Truncating(sequence_length=40))
    assert fitted.dropped_turns == 4 and not fitted.encoded.fault


def test_a_policy_that_is_not_known_is_refused() -> None:
    """The message names those that are."""
    with pytest.raises(DataError, match="expected one of drop_turns_from_left, refuse, cut_right"):
        Truncating(sequence_length=5, policy="middle")
