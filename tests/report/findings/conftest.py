"""A real tokenizer, unpacked once."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

TOKENIZER = Path(__file__).parents[2] / "data" / "tokenizer"


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a real tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_bytes(lzma.decompress((TOKENIZER / "tokenizer.json.xz").read_bytes()))
    (folder / "tokenizer_config.json").write_bytes((TOKENIZER / "tokenizer_config.json").read_bytes())
    return folder
