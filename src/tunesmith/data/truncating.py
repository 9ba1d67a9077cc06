"""Truncation: examples in, examples that fit a sequence out, and for each what it lost, never in silence.

Three policies. ``drop_turns_from_left`` leaves out the oldest questions with all that answers them, keeps the
system message, and never cuts a message; ``refuse`` leaves out the example; ``cut_right`` cuts tokens off the
end, as TRL does (huggingface/trl@v1.16.0:trl/trainer/sft_trainer.py, ``truncate_dataset``), so that a row
whose answer is cut is not taught to stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from tunesmith.data.chat import Encoded, Encoder
from tunesmith.data.formats import Example
from tunesmith.errors import DataError

POLICIES: Final = ("drop_turns_from_left", "refuse", "cut_right")
"""What can be done with an example that is too long."""

NAMED: Final = 5
"""Rows of each kind that Losses name."""

_AT_ONCE: Final = 256


@dataclass(frozen=True, kw_only=True)
class Truncating:
    """What is done with an example that is too long."""

    sequence_length: int
    """Tokens that an example may have."""
    policy: str = "drop_turns_from_left"
    """One of POLICIES."""
    keep_end: bool = True
    """Whether ``drop_turns_from_left`` refuses an example whose last question and answer alone are too long.
    Otherwise its end is cut as ``cut_right`` does."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.policy not in POLICIES or self.sequence_length < 1:
            raise DataError(
                f"truncation is {self.policy!r} at {self.sequence_length} tokens, "
                f"expected one of {', '.join(POLICIES)} at 1 or more."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """One example that fits, or is refused, and what it took."""

    encoded: Encoded
    """The example; its fault says why it is refused, if it is."""
    dropped_turns: int = 0
    """Messages that were left out."""
    lost_tokens: int = 0
    """Tokens that it has fewer."""
    lost_learned_tokens: int = 0
    """Those of them that were to be learned."""
    cut: bool = False
    """Whether its end was cut off."""


@dataclass
class Losses:
    """What truncation took from a data set, counted."""

    whole: int = 0
    """Examples that fitted."""
    shortened: int = 0
    """Examples without their oldest turns."""
    cut: int = 0
    """Examples whose end was cut off."""
    refused: int = 0
    """Examples that are left out."""
    tokens: int = 0
    """Tokens that were lost, those of refused examples among them."""
    learned_tokens: int = 0
    """Those of them that were to be learned."""
    named: dict[str, list[int]] = field(default_factory=dict)
    """The first rows that were shortened, cut and refused."""

    def add(self, fitted: Fitted) -> None:
        """Count one example."""
        fate = "whole"
        if fitted.encoded.fault:
            fate = "refused"
        elif fitted.cut:
            fate = "cut"
        elif fitted.dropped_turns:
            fate = "shortened"
        setattr(self, fate, getattr(self, fate) + 1)
        self.tokens += fitted.lost_tokens
        self.learned_tokens += fitted.lost_learned_tokens
        rows = self.named.setdefault(fate, []) if fate != "whole" else []
        if len(rows) < NAMED:
            rows.append(fitted.encoded.row)

    def to_mapping(self) -> dict[str, Any]:
        """Return the losses as plain JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def truncate(
    examples: Iterable[Example], encoder: Encoder, settings: Truncating, *, losses: Losses | None = None
) -> Iterator[Fitted]:
    """Yield each of *examples* as *encoder* reads it, with its tokens, made to fit as *settings* say.

    What was taken is counted in *losses*, if given. An example that its template refuses stays refused.
    """
    source = iter(examples)
    while some := list(islice(source, _AT_ONCE)):
        for each in _fitted(some, encoder, settings):
            if losses is not None:
                losses.add(each)
            yield each


def _fitted(some: list[Example], encoder: Encoder, settings: Truncating) -> list[Fitted]:
    """Return *some* examples, each fitted or refused."""
    first = list(encoder.encode(some, ids=True))
    done: list[Fitted | None] = [None] * len(some)
    cuts: dict[int, _Cut] = {}
    for at, (example, encoded) in enumerate(zip(some, first, strict=True)):
        if encoded.fault or encoded.length <= settings.sequence_length:
            done[at] = Fitted(encoded=encoded)
        elif settings.policy == "drop_turns_from_left" and len(_starts(example)) > 1:
            cuts[at] = _Cut.of(example, encoded, settings.sequence_length)
        else:
            done[at] = _without_turns(encoded, encoded, 0, settings)
    while cuts:  # each round leaves out one question more of every chat that is still too long
        made = encoder.encode([cut.example for cut in cuts.values()], ids=True)
        for (at, cut), encoded in zip(list(cuts.items()), made, strict=True):
            if encoded.fault or encoded.length <= settings.sequence_length or cut.is_last:
                done[at] = _without_turns(encoded, first[at], cut.turns, settings)
                del cuts[at]
            else:
                cuts[at] = cut.further()
    return [each for each in done if each is not None]


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """A chat without its oldest questions and what answers them."""

    whole: Example
    starts: tuple[int, ...]
    """Messages at which the chat may begin, in order."""
    chosen: int
    """The one at which it does."""

    @classmethod
    def of(cls, example: Example, encoded: Encoded, sequence_length: int) -> _Cut:
        """Return *example* without as many questions as surely have to go, by where its answers ended.

        What is left of the chat has at least the tokens after the last answer that went. Rendering tells the
        rest, since a template may say something of the whole chat.
        """
        starts = _starts(example)
        learned = [at for at, own in enumerate(example.learned) if own]
        chosen = 1
        if len(learned) == len(encoded.learned):  # answers that touch are one range, which tells nothing
            ends = [end for _, end in encoded.learned]
            gone = [max((end for at, end in zip(learned, ends, strict=True) if at < start), default=0)
                    for start in starts]  # fmt: skip
            sure = (n for n in range(1, len(starts)) if encoded.length - gone[n] <= sequence_length)
            chosen = max(1, next(sure, len(starts) - 1) - 1)
        return cls(whole=example, starts=starts, chosen=chosen)

    def further(self) -> _Cut:
        return replace(self, chosen=self.chosen + 1)

    @property
    def is_last(self) -> bool:
        return self.chosen == len(self.starts) - 1

    @property
    def turns(self) -> int:
        """Return how many messages are left out."""
        return len(self.whole.messages) - len(self.example.messages)

    @property
    def example(self) -> Example:
        """Return what is left of the chat."""
        start = self.starts[self.chosen]
        head = self.starts[0]
        return replace(
            self.whole,
            messages=self.whole.messages[:head] + self.whole.messages[start:],
            learned=self.whole.learned[:head] + self.whole.learned[start:],
        )


def _starts(example: Example) -> tuple[int, ...]:
    """Return the messages at which a chat may begin: each question, if something is learned after it."""
    last = max((at for at, learned in enumerate(example.learned) if learned), default=0)
    return tuple(
        at
        for at, message in enumerate(example.messages)
        if message["role"] == "user"
        and at < last
        and (at == 0 or example.messages[at - 1]["role"] != "user")  # questions in a row stay together
    )


def _without_turns(encoded: Encoded, whole: Encoded, turns: int, settings: Truncating) -> Fitted:
    """Return what became of *whole* once *turns* messages were left out, its end cut or the rest refused."""
    fits = encoded.length <= settings.sequence_length
    may_cut = settings.policy == "cut_right" or (
        settings.policy == "drop_turns_from_left" and not settings.keep_end
    )
    cut = not fits and not encoded.fault and may_cut
    if cut:
        encoded = _cut_right(encoded, settings.sequence_length)
    elif not fits and not encoded.fault:
        alone = " without its earlier turns" if turns else ""
        encoded = replace(
            encoded,
            fault=f"has {encoded.length:,} tokens{alone}, expected at most {settings.sequence_length:,}",
        )
    kept = 0 if encoded.fault else encoded.length
    learned = 0 if encoded.fault else encoded.learned_tokens
    if encoded.fault:
        encoded = replace(encoded, length=0, learned=(), ids=())
    return Fitted(
        encoded=encoded,
        dropped_turns=turns,
        lost_tokens=max(0, whole.length - kept),
        lost_learned_tokens=max(0, whole.learned_tokens - learned),
        cut=cut and not encoded.fault,
    )


def _cut_right(encoded: Encoded, kept: int) -> Encoded:
    """Return *encoded* without what comes after *kept* tokens; refused where nothing is left to learn."""
    learned = tuple((begin, min(end, kept)) for begin, end in encoded.learned if begin < kept)
    fault = "" if learned or not encoded.learned else f"has nothing to learn in its first {kept:,} tokens"
    return replace(encoded, length=kept, learned=learned, ids=encoded.ids[:kept], fault=fault)
