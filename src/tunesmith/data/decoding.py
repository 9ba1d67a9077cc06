"""The child that turns tokens into text, within the limits of :mod:`~tunesmith.data.tokenizing`."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer

from tunesmith.data.serving import clock, serve
from tunesmith.data.tokenizing import BATCH_SECONDS, LOAD_SECONDS, MEMORY_BYTES, loaded


class _Desk:
    """What answers the questions: first the path of a tokenizer, then the tokens of texts."""

    def __init__(self) -> None:
        self._tokenizer: Tokenizer | None = None

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._tokenizer is None:
            clock(LOAD_SECONDS)
            self._tokenizer = loaded(question["path"])
            return {}
        clock(BATCH_SECONDS)
        return {"text": self._tokenizer.decode(question["ids"], skip_special_tokens=True)}


def main() -> None:
    """Decode what is asked on standard input until it ends."""
    serve(_Desk().answer, memory_bytes=MEMORY_BYTES)
