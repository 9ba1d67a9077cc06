"""Vocabulary: the terms of a data file that its tokenizer breaks up, and the tokens that adding them saves.

Every gain is counted, not estimated: each term is added to the tokenizer, and the texts that hold it are
tokenized again, in the order of the terms, so that the gains of all add up to the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from tunesmith.architecture import Architecture
from tunesmith.data.files import shown
from tunesmith.data.formats import Format
from tunesmith.data.jail import Child, ChildError
from tunesmith.data.scanning import scan
from tunesmith.data.terms import terms
from tunesmith.data.tokenizer import TokenizerFiles
from tunesmith.errors import DataError

PIECES: Final = 4
"""Tokens from which on a term is broken up."""
TEXT_BYTES: Final = 64 << 20
"""Text that is held and counted; of a larger file every so many rows are."""
BATCH_CHARACTERS: Final = 4 << 20
"""Characters that go to the child at once."""
WALL_SECONDS: Final = 600.0
"""How long the child may keep us waiting."""
CHECKED: Final = 2_000
"""Texts that have to read back as they did before."""

Progress = Callable[[int, float], None]
"""Told how many terms are tried, and which share of all that is, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Addition:
    """One term as a token of its own."""

    term: str
    """The term, as the texts have it."""
    content: str
    """The token: the term, with the blank before it where no longer word begins so."""
    id: int
    """Its number."""
    count: int
    """How often the texts hold the term."""
    pieces: tuple[int, ...] = field(repr=False)
    """The tokens that it was before."""
    saved_tokens: int
    """Tokens of the texts that it saves, beside what those before it save."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What more tokens take, in bytes: computed from the model's shape."""

    embedding_rows: int
    """Rows of the embedding before; some of them may be spare."""
    new_rows: int
    """Rows that it gets beside them."""
    weights_bytes: int
    """The new rows in 16 bits, in the embedding and, where it is not tied, in the head."""
    full_bytes: int
    """The same while training everything: weights, gradients and two moments of AdamW in 32 bits."""
    lora_rows_bytes: int
    """Training only the rows of the added tokens beside LoRA, in 32 bits (PEFT's trainable_token_indices)."""
    lora_whole_bytes: int
    """Training the whole embedding and head beside LoRA, in 32 bits (PEFT's modules_to_save): the trainable
    copies, their gradients and moments."""
    adapter_bytes: int
    """What PEFT puts into the adapter's file once the embedding was resized: all of its rows and the head's,
    in 16 bits (huggingface/peft@v0.21.2:src/peft/utils/save_and_load.py, save_embedding_layers="auto")."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What adding terms to a tokenizer gains."""

    path: str
    """The data file."""
    tokenizer: str
    """The model or folder whose tokenizer it is."""
    rows: int
    """Rows whose texts were counted, and"""
    every: int
    """of how many rows one was: 1 for the whole file."""
    tokens: int
    """Tokens of these texts before, without those of a chat template."""
    first_id: int
    """The number of the first token that is added."""
    additions: tuple[Addition, ...]
    """What is added, in order."""
    cost: Cost | None
    """What it takes; None where the model's shape is not known."""

    @property
    def saved_tokens(self) -> int:
        """Return how many tokens all terms together save."""
        return sum(each.saved_tokens for each in self.additions)

    def to_mapping(self) -> dict[str, Any]:
        """Return the vocabulary as plain JSON types."""
        return {**asdict(self), "saved_tokens": self.saved_tokens}


class Words:
    """A tokenizer in its own process that words can be added to. Use it as a context, or close it.

    Raises DataError where the tokenizer is refused.
    """

    def __init__(self, files: TokenizerFiles) -> None:
        self._files = files
        self._child = Child("tunesmith.data.adding", wall_seconds=WALL_SECONDS)
        self.first_id = int(self._ask({"path": str(files.path)})["next"])

    def __enter__(self) -> Words:
        """Return the words themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._child.close()

    def lengths(self, texts: pl.Series) -> pl.Series:
        """Return the tokens of each of *texts*, without those that a tokenizer adds."""
        found: list[int] = []
        for some in _portions(texts):
            found += self._ask({"texts": some})["lengths"]
        return pl.Series(found, dtype=pl.Int64)

    def pieces(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens that each of *texts* becomes, as the tokenizer calls them."""
        return [list(each) for each in self._ask({"texts": texts, "pieces": True})["pieces"]]

    def holding(self, texts: pl.Series, token: str) -> list[bool]:
        """Return for each of *texts* whether *token* is among its tokens."""
        return [token in each for some in _portions(texts) for each in self.pieces(some)]

    def lossy(self, texts: pl.Series) -> list[bool]:
        """Return for each of *texts* whether it reads otherwise after tokenizing it and back."""
        return [bool(each) for each in self._ask({"texts": texts.to_list(), "back": True})["lossy"]]

    def add(self, term: str, *, bare: bool) -> dict[str, Any]:
        """Add *term*, and return its ``content``, its ``id`` and the ``pieces`` that it was.

        It is added with the blank before it unless *bare*, or unless a longer word is known that begins so.
        """
        return self._ask({"add": term, "bare": bare})

    def text(self) -> str:
        """Return the tokenizer.json of the tokenizer as it is now."""
        return str(self._ask({"save": True})["json"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._child.ask(question)
        except ChildError as error:
            self._child.close()
            raise DataError(
                f"the tokenizer {shown(self._files.path)} {error}. Download it again, or choose another."
            ) from None


def find_vocabulary(
    path: Path,
    form: Format,
    files: TokenizerFiles,
    *,
    add: int,
    architecture: Architecture | None = None,
    progress: Progress | None = None,
) -> Vocabulary:
    """Return what adding the *add* terms that save most to the tokenizer in *files* gains over a file.

    Raises DataError where the file or the tokenizer is refused, or a text would read otherwise afterwards.
    """
    texts, rows, every = _texts(path, form)
    chosen: list[tuple[str, int]] | None = None
    while True:
        with Words(files) as words:
            now = words.lengths(texts)
            first = words.first_id
            chosen = candidates(texts, words, add) if chosen is None else chosen
            additions = list(_added(words, texts, now, chosen, progress, files.name))
        useless = {each.term for each in additions if each.saved_tokens <= 0}
        if not useless:  # else the others are counted anew, without them
            break
        chosen = [each for each in chosen if each[0] not in useless]
    return Vocabulary(
        path=shown(path),
        tokenizer=files.name,
        rows=rows,
        every=every,
        tokens=int(now.sum()),
        first_id=first,
        additions=tuple(additions),
        cost=None if architecture is None else cost(architecture, first, len(additions)),
    )


def _added(
    words: Words,
    texts: pl.Series,
    now: pl.Series,
    chosen: Sequence[tuple[str, int]],
    progress: Progress | None,
    name: str,
) -> Iterator[Addition]:
    """Add the terms, and yield each with what it saves; *now* are the tokens of each text before."""
    checked = texts.gather_every(max(1, texts.len() // CHECKED)).head(CHECKED)
    lossy = words.lossy(checked)
    for number, (term, count) in enumerate(chosen):
        held = texts.str.contains(term, literal=True).arg_true()
        given = words.add(term, bare=_bare(texts.gather(held), term, count))
        shorter = words.lengths(texts.gather(held))
        yield Addition(
            term=term,
            content=given["content"],
            id=given["id"],
            count=count,
            pieces=tuple(given["pieces"]),
            saved_tokens=int(now.gather(held).sum()) - int(shorter.sum()),
        )
        now = now.clone().scatter(held, shorter)
        if progress is not None:
            progress(number + 1, (number + 1) / len(chosen))
    if words.lossy(checked) != lossy:
        raise DataError(
            f"the tokenizer {name} sets blanks around added tokens, so texts would read otherwise. "
            "Words can only be added to it by training it anew."
        )


def _bare(texts: pl.Series, term: str, count: int) -> bool:
    """Return whether *term* is better added without the blank before it: it often has none, or is a part."""
    spaced = int(texts.str.count_matches(f" {term}", literal=True).sum())
    return 2 * spaced < count or bool(texts.str.contains(rf" {term}[\pL\pM\pN]").any())


def candidates(texts: pl.Series, words: Words, most: int) -> list[tuple[str, int]]:
    """Return the terms of *texts* that break into 4 tokens or more, those that waste most first, with counts.

    Of terms that hold each other only the first is taken.
    """
    found = list(terms(texts).items())
    pieces = [len(each) for each in words.pieces([spoken(term) for term, _ in found])]
    wasted = [
        (count * (size - 1), term, count)
        for (term, count), size in zip(found, pieces, strict=True)
        if size >= PIECES
    ]
    chosen: list[tuple[str, int]] = []
    for _, term, count in sorted(wasted, key=lambda each: (-each[0], each[1])):
        if len(chosen) == most:
            break
        if not any(term in other or other in term for other, _ in chosen):
            chosen.append((term, count))
    return chosen


def spoken(term: str) -> str:
    """Return *term* as it stands within a sentence: after a blank, in scripts that have blanks."""
    return term if "\u3040" <= term[0] <= "\u9fff" or "\u0e00" <= term[0] <= "\u0eff" else f" {term}"


def cost(architecture: Architecture, first_id: int, count: int) -> Cost | None:
    """Return what *count* tokens from *first_id* on take in such a model; None where it is not stated."""
    rows, width = architecture.vocab_size, architecture.hidden_size
    if rows is None or width is None or first_id > rows:  # the last: a tokenizer of another model
        return None
    matrices = 1 if architecture.config.get("tie_word_embeddings", True) else 2
    new = max(0, first_id + count - rows)
    return Cost(
        embedding_rows=rows,
        new_rows=new,
        weights_bytes=2 * new * width * matrices,
        full_bytes=16 * new * width * matrices,
        lora_rows_bytes=16 * count * width * matrices,
        lora_whole_bytes=16 * (rows + new) * width * matrices,
        adapter_bytes=2 * (rows + new) * width * 2,
    )


def _texts(path: Path, form: Format) -> tuple[pl.Series, int, int]:
    """Return the texts of a file that fit into memory, from how many rows, and from one of how many."""
    every = max(1, -(-path.stat().st_size // TEXT_BYTES))
    parts, rows = [pl.Series(dtype=pl.String)], 0
    for batch in scan(path, form):
        turns = batch.turns.filter(pl.col("row") % every == 0)
        parts.append(turns["text"])
        rows += turns["row"].n_unique()
    return pl.concat(parts), rows, every


def _portions(texts: pl.Series) -> Iterator[list[str]]:
    """Yield *texts* in portions that a child takes at once."""
    ends = texts.str.len_chars().cast(pl.Int64).cum_sum() // BATCH_CHARACTERS
    for _, some in pl.DataFrame({"text": texts, "portion": ends}).group_by("portion", maintain_order=True):
        yield some["text"].to_list()
