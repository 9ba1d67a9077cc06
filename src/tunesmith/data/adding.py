"""The child that adds words to a tokenizer, in a process of its own, as :mod:`~tunesmith.data.tokenizing`.

Words become *added tokens*, not merges. An added token is cut out of the text before anything else looks at
it, so it works with every kind of tokenizer, and a text without the word is tokenized exactly as before. A
merge of a BPE needs all merges on the way to the word as tokens of their own, which then turn up in other
words, untrained.

A word that stands between blanks can be added in two forms: bare, which leaves the blank before it a token
of its own, or with the blank before it, which saves that token but also cuts the beginning off longer words.
The second is only taken where no longer word is known.
"""

from __future__ import annotations

from typing import Any, Final

from tokenizers import AddedToken, Tokenizer

from tunesmith.data.serving import clock, serve
from tunesmith.data.tokenizing import BATCH_SECONDS, CHARACTERS_PER_SECOND, LOAD_SECONDS, MEMORY_BYTES, loaded

BLANKS: Final = ("Ġ", "▁", " ")
"""What stands for the blank before a word, in vocabularies of BPE and of SentencePiece."""


class Desk:
    """What answers the questions: first the path of a tokenizer, then what its words are, add and save."""

    def __init__(self) -> None:
        self._tokenizer: Tokenizer | None = None
        self._known: list[str] = []

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one question."""
        if "path" in question:
            clock(LOAD_SECONDS)
            tokenizer = loaded(question["path"])
            self._tokenizer = tokenizer
            return {"next": _next(tokenizer), "vocabulary": tokenizer.get_vocab_size()}
        assert self._tokenizer is not None
        texts = question.get("texts", ())
        clock(BATCH_SECONDS + LOAD_SECONDS + sum(map(len, texts)) / CHARACTERS_PER_SECOND)
        if "add" in question:
            return self._add(self._tokenizer, question["add"], bare=question["bare"])
        if "save" in question:
            return {"json": self._tokenizer.to_str(pretty=True)}
        if "back" in question:
            return {"lossy": [_back(self._tokenizer, each) != each for each in texts]}
        if "pieces" in question:  # the fast way leaves the names of tokens out
            named = self._tokenizer.encode_batch(texts, add_special_tokens=False)
            return {"pieces": [each.tokens for each in named]}
        batch = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return {"lengths": [len(each) for each in batch]}

    def _add(self, tokenizer: Tokenizer, word: str, *, bare: bool) -> dict[str, Any]:
        """Add one word, and return what it was added as, its number and the pieces that it was."""
        spaced = word[0].isalnum() and not _alone(word)
        blank = spaced and not bare and not self._begins(tokenizer, word)
        content = f" {word}" if blank else word
        pieces = tokenizer.encode(content, add_special_tokens=False).ids
        token = AddedToken(content, single_word=spaced and not blank, normalized=False)
        number = tokenizer.token_to_id(content)
        if number is None:
            tokenizer.add_tokens([token])
            number = tokenizer.token_to_id(content)
        return {"content": content, "id": number, "pieces": pieces}

    def _begins(self, tokenizer: Tokenizer, word: str) -> bool:
        """Return whether a longer word of the vocabulary begins with *word*."""
        if not self._known:
            self._known = sorted(
                each[1:] for each in tokenizer.get_vocab(with_added_tokens=True) if each[:1] in BLANKS
            )
        low, high = 0, len(self._known)
        while low < high:
            middle = (low + high) // 2
            if self._known[middle] <= word:
                low = middle + 1
            else:
                high = middle
        return low < len(self._known) and self._known[low][: len(word)] == word


def _alone(word: str) -> bool:
    """Return whether *word* is of a script that sets no blanks between words."""
    return any("\u3040" <= each <= "\u9fff" or "\u0e00" <= each <= "\u0eff" for each in word)


def _back(tokenizer: Tokenizer, text: str) -> str:
    """Return *text* as it reads after tokenizing it and back."""
    read: str = tokenizer.decode(
        tokenizer.encode(text, add_special_tokens=False).ids, skip_special_tokens=False
    )
    return read


def _next(tokenizer: Tokenizer) -> int:
    """Return one more than the largest number of a token."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def main() -> None:
    """Answer what is asked on standard input until it ends."""
    serve(Desk().answer, memory_bytes=MEMORY_BYTES)


if __name__ == "__main__":
    main()
