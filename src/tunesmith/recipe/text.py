"""YAML and JSON text in and out, safe against hostile files.

The YAML is the part that JSON can say: one document, no tags, anchors, aliases or merge keys, no
duplicate keys, plain scalars by YAML 1.2's core schema (so ``no`` is text and ``1e-4`` is a number).
PyYAML only supplies parsing events; it never constructs an object.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from tunesmith.errors import RecipeError
from tunesmith.recipe.frozen import MAX_DEPTH, MAX_NODES
from tunesmith.recipe.kinds import INTEGER, NUMBER
from tunesmith.recipe.problems import printable

MAX_BYTES: Final = 256 * 1024
"""Largest recipe file; the longest published config.json inside one is under 40 KB."""
CONSTANTS: Final = (
    {"": None, "~": None, "null": None, "Null": None, "NULL": None}
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)
"""YAML 1.2 core schema, section 10.3.2."""


def read_text(text: str, source: str) -> Any:
    """Return what *text* holds as plain values, or raise RecipeError that names *source* and the line."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise RecipeError(
            f"{source} is larger than {MAX_BYTES // 1024} KB, the most a recipe may be. Shorten it."
        )
    if text.lstrip()[:1] == "{":
        try:
            return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        except _NotANumber as error:
            raise RecipeError(f"{source} holds {error}, which is no number in JSON. Write null.") from None
        except (ValueError, RecursionError):
            pass  # a YAML mapping may start the same way, and its reader names the line of a mistake
    return _Reader(text, source).read()


def key_lines(text: str) -> dict[str, int]:
    """Return the line of every dotted key in *text*, as far as it can be read."""
    reader = _Reader(text, "")
    with contextlib.suppress(RecipeError):
        reader.read()
    return reader.lines


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(items)
    if len(out) < len(items):
        raise ValueError("a key is given twice")
    return out


class _NotANumber(Exception):
    """NaN or an infinity, which Python's json reads although JSON has none."""


def _refuse_constant(name: str) -> Any:
    raise _NotANumber(name)


class _Reader:
    """One pass over PyYAML's parsing events, bounded in depth and number."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        self.lines: dict[str, int] = {}
        self.nodes = 0
        self.line = 1

    def read(self) -> Any:
        try:
            return self._walk(yaml.parse(self.text, Loader=yaml.SafeLoader))
        except RecipeError:
            raise
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = f"{error.problem or error.context}. Check quotes, colons and indents"
            raise self._refusal(mark.line + 1 if mark else 1, what) from None
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position) + 1
            raise self._refusal(line, "a control character. Remove it") from None
        except (ValueError, OverflowError):  # PyYAML calls chr() and int() on what escapes and directives say
            raise self._refusal(
                self.line, "an escape or a directive that is no character or number"
            ) from None

    def _refusal(self, line: int, message: str) -> RecipeError:
        return RecipeError(printable(f"{self.source}, line {line}: {message}."))

    def _walk(self, events: Iterator[Any]) -> Any:
        """Return the only document's value. Each open collection is (container, key of its item, path)."""
        root: list[Any] = []
        stack: list[list[Any]] = [[root, None, ""]]
        for event in events:
            line = self.line = event.start_mark.line + 1
            self._check(event, line, len(stack))
            if isinstance(event, yaml.DocumentStartEvent) and root:
                raise self._refusal(line, "a second document begins here; a recipe file holds one")
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event, stack[-1], line)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                stack.append([container, None, self._attach(stack[-1], container, line)])
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                stack.pop()
        return root[0] if root else None

    def _check(self, event: Any, line: int, depth: int) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._refusal(line, "anchors and aliases (&, *) are not allowed. Write the value out")
        if getattr(event, "tag", None) is not None:
            raise self._refusal(line, f"tags ({event.tag[:40]}) are not allowed. Write a plain value")
        self.nodes += isinstance(event, yaml.NodeEvent)
        if self.nodes > MAX_NODES or depth > MAX_DEPTH + 2:
            limits = f"{MAX_NODES} values or {MAX_DEPTH} levels"
            raise self._refusal(line, f"the recipe has more than {limits}. Shorten it")

    def _scalar(self, event: Any, top: list[Any], line: int) -> None:
        container, key, _ = top
        if not isinstance(container, dict) or key is not None:
            self._attach(top, self._value(event, line), line)
            return
        name = event.value
        if name == "<<" and event.implicit[0]:
            raise self._refusal(line, "merge keys (<<) are not allowed. Write the keys out")
        if name in container:
            raise self._refusal(line, f"the key {name[:60]!r} is given twice. Remove one of them")
        top[1] = name

    def _attach(self, top: list[Any], value: Any, line: int) -> str:
        """Put *value* where it belongs in the open collection and return its dotted path."""
        container, key, path = top
        if isinstance(container, list):
            container.append(value)
            return f"{path}[{len(container) - 1}]" if path else ""
        if key is None:
            raise self._refusal(line, "a key must be text, not a list or a mapping")
        container[key] = value
        top[1] = None
        path = f"{path}.{key}" if path else key
        self.lines.setdefault(path, line)
        return path

    def _value(self, event: Any, line: int) -> Any:
        text = str(event.value)
        if not event.implicit[0]:
            return text
        if text in CONSTANTS:
            return CONSTANTS[text]
        if INTEGER.fullmatch(text):
            return int(text)
        if NUMBER.fullmatch(text):
            return float(text)
        if re.fullmatch(r"[-+]?[0-9]{20,}", text):
            raise self._refusal(line, "the number is too large. Integers have at most 19 digits")
        return text


class _Dumper(yaml.SafeDumper):
    """Writes nothing that this module's reader or a YAML 1.1 reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{NUMBER.pattern})$"), list("-+.0123456789")
)


def write_yaml(mapping: Mapping[str, Any]) -> str:
    """Return *mapping* as YAML: a key a line, its mapping or list in braces or brackets."""
    out = io.StringIO()
    dumper = _Dumper(out, sort_keys=False, default_flow_style=True, allow_unicode=True, width=100)
    dumper.open()
    node = dumper.represent_data(mapping)
    assert isinstance(node, yaml.MappingNode)
    node.flow_style = False
    dumper.serialize(node)
    dumper.close()
    return out.getvalue()
