"""A tokenizer's files, found and bounded: its tokenizer.json, its special tokens and its chat template.

No code that comes with a model is run, and nothing here acts on what the files say: they are read by the
child processes of :mod:`~tunesmith.data.chat`.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from tunesmith.architecture.bounds import show
from tunesmith.data.files import opened, shown
from tunesmith.data.templates import BUILT_IN, ChatTemplate, built_in
from tunesmith.errors import DataError, MissingExtraError

TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "tokenizer_config.json"
SPECIAL: Final = "special_tokens_map.json"
TEMPLATE: Final = "chat_template.jinja"

MAX_TOKENIZER_BYTES: Final = 64 << 20
"""Largest tokenizer.json that is read; that of Gemma 3 has 33 MB."""

MAX_CONFIG_BYTES: Final = 8 << 20
"""Largest tokenizer_config.json that is read; that of Gemma 3 has 1.2 MB."""

MAX_TEMPLATE_BYTES: Final = 64 << 10
"""Longest chat template that is read; the longest real ones have 20 KB."""

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?")
_HUB_SECONDS: Final = 10.0
_TOKEN_NAMES: Final = (
    "bos_token",
    "eos_token",
    "unk_token",
    "pad_token",
    "sep_token",
    "cls_token",
    "mask_token",
)


@dataclass(frozen=True, kw_only=True)
class TokenizerFiles:
    """What a tokenizer's folder says, unexecuted."""

    name: str
    """The folder or Hub id that was given."""
    path: Path
    """Its tokenizer.json."""
    tokens: Mapping[str, str]
    """Its special tokens by the names that templates call them."""
    template: ChatTemplate | None
    """Its chat template; None where it has none, as base models do."""


def load_tokenizer(model: str | Path, *, download: bool = True) -> TokenizerFiles:
    """Return the files of the tokenizer that *model* names: a folder, a file in it, or a Hub id.

    Raises DataError where there is no tokenizer.json or a file is not what it should be.
    """
    folder = Path(model).expanduser()
    if folder.name in (TOKENIZER, CONFIG, "config.json"):
        folder = folder.parent
    if isinstance(model, Path) or folder.is_dir() or folder.is_absolute():
        found = {
            name: path for name in (TOKENIZER, CONFIG, SPECIAL, TEMPLATE) if (path := folder / name).is_file()
        }
    elif _HUB_ID.fullmatch(model) and ".." not in model:
        found = _fetched(model, download=download)
    else:
        raise DataError(f"{show(model)} names no tokenizer. Give its folder, or a Hub id as owner/name.")
    if TOKENIZER not in found:
        raise DataError(
            f"{show(str(model), 200)} has no {TOKENIZER}, expected a fast tokenizer's files. "
            "Make it with AutoTokenizer.from_pretrained(…).save_pretrained(folder), and give the folder."
        )
    _bounded(found[TOKENIZER], MAX_TOKENIZER_BYTES)
    config = _mapping(found.get(CONFIG))
    return TokenizerFiles(
        name=str(model),
        path=found[TOKENIZER].resolve(),
        tokens=_tokens({**_mapping(found.get(SPECIAL)), **config}),
        template=_template(found, config),
    )


def choose_template(files: TokenizerFiles, wanted: str | Path | None) -> ChatTemplate:
    """Return the template called *wanted*, the one in the file at *wanted*, or without either *files*' own.

    A base model without a template gets the built-in ``alpaca``, which its reason says.
    """
    if wanted is None:
        if files.template is not None:
            return files.template
        return built_in(
            "alpaca",
            reason="the tokenizer has no chat template, so chats are counted in the format of Alpaca",
            reason_zh="分词器没有对话模板，因此按 Alpaca 格式计算对话长度",
        )
    if str(wanted) in BUILT_IN:
        return built_in(str(wanted), reason="it was asked for", reason_zh="由用户指定")
    path = Path(wanted).expanduser()
    if path.suffix not in (".jinja", ".jinja2", ".j2"):
        known = ", ".join(BUILT_IN)
        raise DataError(
            f"template is {show(str(wanted))}, expected one of {known} or the path of a .jinja file."
        )
    source = _text(path, MAX_TEMPLATE_BYTES)
    return ChatTemplate(name=str(path), source=source, reason="it was asked for", reason_zh="由用户指定")


def _template(found: Mapping[str, Path], config: Mapping[str, object]) -> ChatTemplate | None:
    if TEMPLATE in found:
        return _own(_text(found[TEMPLATE], MAX_TEMPLATE_BYTES), str(found[TEMPLATE]))
    given = config.get("chat_template")
    if isinstance(given, list):  # several by name, as some models for tools and retrieval have
        named = {each.get("name"): each.get("template") for each in given if isinstance(each, dict)}
        given = named.get("default")
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > MAX_TEMPLATE_BYTES:
        raise DataError(
            f"{shown(found[CONFIG])} has chat_template = {show(given)}, expected a text of at most "
            f"{MAX_TEMPLATE_BYTES:,} characters."
        )
    return _own(given, str(found[CONFIG]))


def _own(source: str, place: str) -> ChatTemplate:
    return ChatTemplate(
        name=place, source=source, reason="it is the tokenizer's own", reason_zh="分词器自带的模板"
    )


def _tokens(config: Mapping[str, object]) -> dict[str, str]:
    tokens = {}
    for name in _TOKEN_NAMES:
        value = config.get(name)
        if isinstance(value, dict):
            value = value.get("content")
        if isinstance(value, str) and len(value) <= 256:
            tokens[name] = value
    return tokens


def _mapping(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    text = _text(path, MAX_CONFIG_BYTES)
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise DataError(f"{shown(path)} is not a JSON object. Download the tokenizer again.")
    return value


def _bounded(path: Path, most: int) -> None:
    with opened(path) as file:
        size = file.seek(0, 2)
    if size > most:
        raise DataError(f"{shown(path)} is {size:,} bytes long, expected at most {most:,}.")


def _text(path: Path, most: int) -> str:
    with opened(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise DataError(f"{shown(path)} is longer than {most:,} bytes, which is the most that is read of it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(path)} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None


# -- the Hub ----------------------------------------------------------------------------------------


def _hub() -> ModuleType:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise MissingExtraError.of("huggingface_hub", "memory") from None


def _fetched(name: str, *, download: bool) -> dict[str, Path]:
    hub = _hub()
    wanted = {TOKENIZER: MAX_TOKENIZER_BYTES, CONFIG: MAX_CONFIG_BYTES, SPECIAL: MAX_CONFIG_BYTES}
    wanted[TEMPLATE] = MAX_TEMPLATE_BYTES
    found = {}
    for file, most in wanted.items():
        path = _one(hub, name, file, most, download=download)
        if path is not None:
            found[file] = path
        elif file == TOKENIZER:
            break
    if not found:
        raise DataError(
            f"{TOKENIZER} of {show(name)} is not in the Hub's cache and was not fetched. Check the name, "
            "your connection and, for a gated model, your login; or give the tokenizer's folder."
        )
    return found


def _one(hub: ModuleType, name: str, file: str, most: int, *, download: bool) -> Path | None:
    """Return where the Hub's client keeps *file*, asking for its size before its content."""
    cached = hub.try_to_load_from_cache(name, file)
    if isinstance(cached, str):
        return Path(cached)
    if not download or cached is not None:  # the client remembers that the file does not exist
        return None
    try:
        size = hub.get_hf_file_metadata(hub.hf_hub_url(name, file), timeout=_HUB_SECONDS).size
        if size is not None and size > most:
            raise DataError(f"{file} of {show(name)} is {size:,} bytes long, expected at most {most:,}.")
        return Path(hub.hf_hub_download(name, file))
    except DataError:
        raise
    except Exception:  # the client's and the network's own tree of errors, which moves with versions
        return None
