"""The only renderer: examples in, their number of tokens and which of them are learned out.

A chat is rendered by its tokenizer's own template, or one that was chosen, in a child process, and tokenized
in another; see :mod:`~tunesmith.data.jail`. What is learned of a chat are the messages of the assistant,
each with the mark that ends it. Plain text is tokenized as TRL does: with the tokens that the tokenizer
adds, and its end token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from tunesmith.data.formats import Example
from tunesmith.data.jail import Child, ChildError
from tunesmith.data.templates import ChatTemplate
from tunesmith.data.tokenizer import TokenizerFiles
from tunesmith.errors import DataError, MissingExtraError

BATCH_EXAMPLES: Final = 1024
"""Examples that go to a child at once."""

BATCH_CHARACTERS: Final = 4 << 20
"""Characters that go to a child at once, but for one example that is longer."""

BATCH_PREFIXES: Final = 1_000_000
"""Messages in all prefixes of a batch's chats, but for one chat that has more: some seconds."""

RENDER_WALL_SECONDS: Final = 600.0
"""How long a child may keep us waiting for chats; the processor time of each is limited too."""

TOKENIZE_WALL_SECONDS: Final = 600.0
"""How long a child may keep us waiting for texts; their length limits its processor time too."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of an example's text, as its tokens read it."""

    text: str
    """What it says; of a special token that stands for no text, its name."""
    learned: bool
    """Whether its tokens are learned."""
    special: bool
    """Whether it is one special token."""
    tokens: int
    """Its tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One example as its model reads it."""

    row: int
    """The row it comes from."""
    place: str
    """Where that row stands."""
    length: int
    """Its tokens; 0 where it is refused."""
    learned: tuple[tuple[int, int], ...] = ()
    """Ranges of tokens that are learned, each from its first to before its last, in order."""
    ids: tuple[int, ...] = ()
    """The tokens themselves, where they were asked for."""
    runs: tuple[Run, ...] = ()
    """Its text as the tokens read it, where that was asked for."""
    fault: str = ""
    """Why it is refused, as the end of a sentence that begins with its place; empty where it is not."""

    @property
    def learned_tokens(self) -> int:
        """Return how many tokens are learned."""
        return sum(end - begin for begin, end in self.learned)

    def mask(self) -> list[bool]:
        """Return for each token whether it is learned."""
        mask = [False] * self.length
        for begin, end in self.learned:
            mask[begin:end] = [True] * (end - begin)
        return mask


class Encoder:
    """A tokenizer and a chat template, each in its own process. Use it as a context, or close it.

    Raises MissingExtraError without the packages, and DataError where the tokenizer or the template is
    refused.
    """

    def __init__(self, files: TokenizerFiles, template: ChatTemplate) -> None:
        MissingExtraError.unless_installed("data", "tokenizers", "jinja2")
        self._files = files
        self._template = template
        self._renderer: Child | None = None
        self._tokenizer: Child | None = None
        self._tokenizer = Child("tunesmith.data.tokenizing", wall_seconds=TOKENIZE_WALL_SECONDS)
        try:
            self.vocabulary = int(self._tokenizer.ask({"path": str(files.path)})["vocabulary"])
        except ChildError as error:
            self.close()
            raise self._refused_tokenizer(error) from None

    def __enter__(self) -> Encoder:
        """Return the encoder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both processes."""
        self.close()

    def close(self) -> None:
        """End both processes."""
        for child in (self._renderer, self._tokenizer):
            if child is not None:
                child.close()

    def encode(
        self, examples: Iterable[Example], *, ids: bool = False, runs: bool = False
    ) -> Iterator[Encoded]:
        """Yield each of *examples* as its model reads it, in their order, with its tokens if *ids*.

        With *runs* its text is given back as well, as the tokens read it.

        While one batch is tokenized the next is rendered.
        """
        batches = _batches(examples)
        ahead = self._sent(next(batches, None))
        while ahead is not None:
            rendered = self._rendered(ahead)
            self._ask_tokens(rendered, ids=ids, runs=runs)
            ahead = self._sent(next(batches, None))
            yield from self._tokenized(rendered)

    # -- rendering ------------------------------------------------------------------------------

    def _sent(self, batch: list[Example] | None) -> list[Example] | None:
        """Return *batch* once its chats, if it has any, are on their way to the renderer."""
        chats = [
            {"messages": example.messages, "learned": example.learned, "tools": example.tools}
            for example in batch or ()
            if example.messages
        ]
        if not chats:
            return batch
        try:
            if self._renderer is None:
                self._renderer = Child("tunesmith.data.rendering", wall_seconds=RENDER_WALL_SECONDS)
                self._renderer.ask({"template": self._template.source, "tokens": dict(self._files.tokens)})
            self._renderer.send({"chats": chats})
        except ChildError as error:
            raise self._refused_template(error, batch) from None
        return batch

    def _rendered(self, batch: list[Example]) -> list[_Rendered]:
        """Return the texts of a *batch* that was sent."""
        chats: Iterator[dict[str, Any]] = iter(())
        if any(example.messages for example in batch):
            assert self._renderer is not None
            try:
                chats = iter(self._renderer.receive()["chats"])
            except ChildError as error:
                raise self._refused_template(error, batch) from None
        end = self._files.tokens.get("eos_token", "")
        rendered = []
        for example in batch:
            if not example.messages:
                rendered.append(_plain(example, end))
                continue
            chat = next(chats)
            fault = f"cannot be rendered: its template {chat['error']}" if "error" in chat else ""
            rendered.append(_Rendered(example, chat.get("text", ""), chat.get("spans", ()), fault))
        return rendered

    # -- tokenizing -----------------------------------------------------------------------------

    def _ask_tokens(self, rendered: Sequence[_Rendered], *, ids: bool, runs: bool) -> None:
        """Send texts to the tokenizer; plain text gets the tokens that it adds, a chat has its own."""
        assert self._tokenizer is not None
        question = {
            "texts": [each.text for each in rendered],
            "spans": [each.spans for each in rendered],
            "special": [not each.example.messages for each in rendered],
            "ids": ids,
            "runs": runs,
        }
        try:
            self._tokenizer.send(question)
        except ChildError as error:
            raise self._refused_tokenizer(error) from None

    def _tokenized(self, rendered: Sequence[_Rendered]) -> Iterator[Encoded]:
        assert self._tokenizer is not None
        try:
            answer = self._tokenizer.receive()
        except ChildError as error:
            raise self._refused_tokenizer(error) from None
        ids = answer.get("ids") or [()] * len(rendered)
        shown = answer.get("runs") or [()] * len(rendered)
        for each, length, ranges, tokens, runs in zip(
            rendered, answer["lengths"], answer["ranges"], ids, shown, strict=True
        ):
            learned = ((0, length),) if ranges is None else tuple(zip(ranges[::2], ranges[1::2], strict=True))
            row, place = each.example.row, each.example.place
            if each.fault:
                yield Encoded(row=row, place=place, length=0, fault=each.fault)
            else:
                yield Encoded(
                    row=row,
                    place=place,
                    length=length,
                    learned=learned,
                    ids=tuple(tokens),
                    runs=tuple(Run(*run) for run in runs),
                )

    # -- refusals -------------------------------------------------------------------------------

    def _refused_template(self, error: ChildError, batch: Sequence[Example] | None) -> DataError:
        between = f" (between {batch[0].place} and {batch[-1].place})" if batch else ""
        return DataError(
            f"the chat template {self._template.name} {error}{between}. "
            "Choose another with template, or mend it."
        )

    def _refused_tokenizer(self, error: ChildError) -> DataError:
        return DataError(f"the tokenizer {self._files.path} {error}. Download it again, or choose another.")


@dataclass(frozen=True, slots=True)
class _Rendered:
    """An example as text with the spans of it that are learned; None: all of it."""

    example: Example
    text: str
    spans: Sequence[Sequence[int]] | None
    fault: str


def _plain(example: Example, end: str) -> _Rendered:
    """Return plain text as TRL has it tokenized: the prompt, the text, and the end token if it lacks one."""
    text = example.text if not end or example.text.endswith(end) else example.text + end
    whole = example.prompt + text
    return _Rendered(example, whole, [[len(example.prompt), len(whole)]] if example.prompt else None, "")


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    batch: list[Example] = []
    characters = prefixes = 0
    for example in examples:
        characters += weight(example)
        prefixes += len(example.messages) ** 2  # each turn is found by rendering all before it
        if batch and (
            len(batch) == BATCH_EXAMPLES or characters > BATCH_CHARACTERS or prefixes > BATCH_PREFIXES
        ):
            yield batch
            batch, characters, prefixes = [], weight(example), len(example.messages) ** 2
        batch.append(example)
    if batch:
        yield batch


def weight(example: Example) -> int:
    """Return about how many characters *example* has, by which examples can be told short from long."""
    said = sum(len(str(message.get("content", ""))) for message in example.messages)
    return len(example.prompt) + len(example.text) + said
