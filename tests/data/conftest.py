"""Real rows, a real tokenizer and real chat templates, unpacked once."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with instructions.jsonl and chats.jsonl."""
    folder = tmp_path_factory.mktemp("corpus")
    for packed in (HERE / "corpus").glob("*.xz"):
        (folder / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
    return folder


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a real tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizer")
    packed = HERE / "tokenizer" / "tokenizer.json.xz"
    (folder / "tokenizer.json").write_bytes(lzma.decompress(packed.read_bytes()))
    (folder / "tokenizer_config.json").write_bytes((HERE / "tokenizer/tokenizer_config.json").read_bytes())
    return folder


@pytest.fixture(scope="session")
def templates() -> Path:
    """Return the folder of real chat templates that TRL ships."""
    import trl

    return Path(trl.__file__).parent / "chat_templates"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Return what writes a data file: bytes or text as they are, a list as JSON Lines."""

    def written(name: str, content: Any) -> Path:
        path = tmp_path / name
        if isinstance(content, list):
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    return written
