"""What an hour of a card costs: a dated table of public on-demand prices, which a file of one's own replaces.

``prices.csv`` has one listed price a line. A file named by the caller, or by the environment variable
``TUNESMITH_PRICES``, has the same columns, as CSV or as a YAML list of mappings; its cards replace the
table's.
"""

from __future__ import annotations

import csv
import datetime
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from tunesmith.errors import HardwareError
from tunesmith.hardware import gpu

COLUMNS: Final = ("card", "provider", "kind", "usd_per_hour", "date", "source")
"""What a price says, in the order of the table."""

KINDS: Final = ("hyperscaler", "cloud", "marketplace", "own")
"""Who rents the card out: a large cloud, a cloud for GPUs, a market of strangers' machines, or oneself."""

ENVIRONMENT: Final = "TUNESMITH_PRICES"
"""Environment variable that names a file of prices."""

_MAX_BYTES: Final = 1 << 20
_MAX_USD: Final = 10_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """One listed price of one card."""

    card: str
    """Name of the card, as ``hardware.gpu`` writes it."""
    provider: str
    """Who lists it."""
    kind: str
    """One of KINDS."""
    usd_per_hour: float
    """US dollars for one card and hour, on demand, without tax."""
    date: str
    """Day on which it was listed, as YYYY-MM-DD; empty where the source is a commit that says its own."""
    source: str
    """Where."""


def prices(path: str | Path | None = None) -> Mapping[str, tuple[Price, ...]]:
    """Return the listed prices of each card; those of the file *path* replace the table's for its cards.

    Without a path the file that TUNESMITH_PRICES names is read, if it names one. Raises HardwareError for a
    file that cannot be read, with every row that is wrong.
    """
    table = _by_card(_checked(_rows_of_csv(_shipped(), "prices.csv"), "prices.csv"))
    chosen = path or os.environ.get(ENVIRONMENT)
    if not chosen:
        return table
    name = str(chosen)
    text = _read(Path(chosen))
    rows = _rows_of_yaml(text, name) if name.endswith((".yaml", ".yml")) else _rows_of_csv(text, name)
    return {**table, **_by_card(_checked(rows, name))}


def usual(listed: Sequence[Price]) -> tuple[Price, ...]:
    """Return those of *listed* that a card is usually rented at; empty where nothing is listed.

    One's own prices come first, then clouds for GPUs, then large clouds, then markets of strangers' machines.
    """
    for kind in _PREFERRED:
        found = tuple(price for price in listed if price.kind == kind)
        if found:
            return found
    return ()


def usd_per_hour(listed: Sequence[Price]) -> tuple[float, float] | None:
    """Return the lowest and the highest price that a card of *listed* is usually rented at, or None."""
    found = [price.usd_per_hour for price in usual(listed)]
    return (min(found), max(found)) if found else None


_PREFERRED: Final = ("own", "cloud", "hyperscaler", "marketplace")


def _shipped() -> str:
    return (files("tunesmith.hardware") / "prices.csv").read_text(encoding="utf-8")


def _read(path: Path) -> str:
    """Return the text of *path*, of bounded size."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise HardwareError(
                f"{path}: a file of prices has at most {_MAX_BYTES:,} bytes. Keep fewer rows."
            )
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise HardwareError(f"{path}: cannot be read as a file of prices: {error}. {_HOW}") from error


_HOW: Final = f"Give a CSV or YAML file with the columns {', '.join(COLUMNS)}."


def _rows_of_csv(text: str, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return each row with its place, ``name, line N``."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        missing = [column for column in ("card", "usd_per_hour") if column not in (reader.fieldnames or ())]
        if missing:
            raise HardwareError(f"{name}: has no column {' and no column '.join(missing)}. {_HOW}")
        return [(f"{name}, line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise HardwareError(f"{name}, line {reader.line_num}: not CSV: {error}. {_HOW}") from error


def _rows_of_yaml(text: str, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return each row with its place, ``name, row N``."""
    try:
        rows = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise HardwareError(f"{name}: not YAML: {error}. {_HOW}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HardwareError(f"{name}: given {type(rows).__name__}, expected a list of mappings. {_HOW}")
    return [(f"{name}, row {number}", row) for number, row in enumerate(rows, 1)]


def _checked(rows: Iterable[tuple[str, Mapping[str, Any]]], name: str) -> list[Price]:
    """Return the prices, or raise one error that names every row that is none."""
    found, problems = [], []
    for place, row in rows:
        try:
            found.append(_price(row, name))
        except ValueError as error:
            problems.append(f"{place}: {error}")
    if problems:
        raise HardwareError("\n".join(problems[:20]))
    return found


def _price(row: Mapping[str, Any], name: str) -> Price:
    """Return one row as a Price. Raises ValueError with what was expected."""
    unknown = [str(key) for key in row if key not in COLUMNS]
    if unknown:
        raise ValueError(f"unknown column {unknown[0]!r}: expected {', '.join(COLUMNS)}")
    said = row.get("usd_per_hour")
    try:
        usd = float(said) if isinstance(said, (int, float, str)) and not isinstance(said, bool) else -1.0
    except ValueError:
        usd = -1.0
    if not 0 <= usd <= _MAX_USD:
        raise ValueError(
            f"usd_per_hour {said!r}: expected dollars an hour from 0 to {_MAX_USD:,.0f}, e.g. 2.49"
        )
    kind = str(row.get("kind") or "own")
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: expected one of {', '.join(KINDS)}")
    date = str(row.get("date") or "")
    if date:
        datetime.date.fromisoformat(date)
    return Price(
        card=gpu(str(row.get("card") or "")).name,
        provider=str(row.get("provider") or "own"),
        kind=kind,
        usd_per_hour=usd,
        date=date,
        source=str(row.get("source") or name),
    )


def _by_card(listed: Iterable[Price]) -> dict[str, tuple[Price, ...]]:
    cards: dict[str, tuple[Price, ...]] = {}
    for price in listed:
        cards[price.card] = (*cards.get(price.card, ()), price)
    return cards
