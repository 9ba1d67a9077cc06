"""read: a trainer's file as a recipe, with the origin of every key."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.recipe import Recipe, flags, with_changes
from tunesmith.recipe.frozen import thawed
from tunesmith.recipe.names import FSDP, ZERO
from tunesmith.recipe.problems import Problem, nearest, printable, recipe_error, show
from tunesmith.recipe.text import MAX_BYTES, key_lines, read_text
from tunesmith.trainers import accelerate, axolotl, deepspeed, llamafactory, swift, torchtune, trl
from tunesmith.trainers.defaults import Defaults, known_names
from tunesmith.trainers.quantising import read_nf4_shards
from tunesmith.trainers.reading import OWN, Fetch, Reading
from tunesmith.trainers.recognising import recognised
from tunesmith.trainers.result import TITLES, TRAINERS, Imported, Origin, Said

READERS: Final[Mapping[str, Callable[[Reading], None]]] = {
    "trl": trl.read,
    "accelerate": accelerate.read,
    "deepspeed": deepspeed.read,
    "llamafactory": llamafactory.read,
    "axolotl": axolotl.read,
    "torchtune": torchtune.read,
    "swift": swift.read,
}

DEFAULTS: Final[Mapping[str, Defaults]] = {
    "trl": trl.DEFAULTS,
    "accelerate": accelerate.DEFAULTS,
    "deepspeed": deepspeed.DEFAULTS,
    "llamafactory": llamafactory.DEFAULTS,
    "axolotl": axolotl.DEFAULTS,
    "torchtune": torchtune.DEFAULTS,
    "swift": swift.DEFAULTS,
}

SHARED: Final = Said(
    "several cards and no sharding in the file: the trainer repeats the model on each (torchtune: FSDP2)",
    "多张卡而文件未写分片：训练器在每张卡上复制模型（torchtune 用 FSDP2）",
)
WHOLE: Final = Said(
    "only FSDP holds gradients whole between passes: elsewhere no memory depends on when they are reduced",
    "只有 FSDP 会在多次反向之间完整保留梯度；其他方式下何时归约不影响显存",
)
ASKED: Final = Said("asked for beside the file", "在文件之外给出")


def read(
    text: str,
    *,
    trainer: str | None = None,
    source: str = "file",
    beside: Mapping[str, str] | Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Imported:
    """Return the recipe in *text*, a file of *trainer*, which its keys tell where it is not named.

    Files that it names are looked for *beside* it: in a mapping of names to texts, or in a folder, never
    above it. Dotted *changes* are made before the recipe is judged, and supply what the file leaves out.

    Raises RecipeError with every mistake and its line, and UnsupportedError for what would change memory and
    no recipe can say.
    """
    source, given = printable(source[:200]), read_text(text, source)
    if not isinstance(given, Mapping) or not given:
        problem = Problem("file", show(given), "a mapping of keys to values", "Give a trainer's file.")
        raise recipe_error([problem], {}, source)
    if trainer is not None and trainer not in TRAINERS:
        raise RecipeError(f"trainer: given {show(trainer)}, expected one of {', '.join(TRAINERS)}.")
    name = trainer or recognised(given, source)
    lines, asked = key_lines(text), dict(changes or {})
    reading = Reading(
        given, lines, source=source, defaults=DEFAULTS[name], fetch=_fetcher(beside), changes=asked
    )
    READERS[name](reading)
    ignored = _leftovers(reading, name)
    if reading.problems:
        raise recipe_error(reading.problems, lines, source)
    if reading.unsupported:
        raise UnsupportedError("\n".join(reading.unsupported))
    recipe = _recipe(reading, asked, name)
    return Imported(
        recipe=recipe,
        trainer=name,
        version=DEFAULTS[name].package,
        provenance=_provenance(recipe, reading, asked),
        ignored=ignored,
        warnings=tuple(reading.warnings),
    )


def read_path(
    path: str | Path, *, trainer: str | None = None, changes: Mapping[str, Any] | None = None
) -> Imported:
    """Return the recipe in the file at *path* (``-``: standard input); files it names are in its folder."""
    if str(path) == "-":
        text = _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
        return read(text, trainer=trainer, source="standard input", changes=changes)
    place = Path(path)
    return read(_bounded(place), trainer=trainer, source=str(path), beside=place.parent, changes=changes)


def _recipe(reading: Reading, changes: Mapping[str, Any], name: str) -> Recipe:
    """Return the recipe of what was read; sections that nothing in the file is about are left out."""
    values = dict(reading.values)
    if not any(reading.origins[key].how == "stated" for key in values if key.startswith("training.")):
        values = {key: value for key, value in values.items() if not key.startswith("training.")}
    sharding = changes.get("sharding", values.get("sharding"))
    split = values.get("parallel.tensor", 1) > 1
    if sharding in (None, "none") and _several(values, changes) and not split:
        sharding = "fsdp" if name == "torchtune" else "ddp"
        if "sharding" not in changes:
            reading.assume("sharding", sharding, SHARED)
            values["sharding"] = sharding
    if sharding not in FSDP and values.get("sync_each_batch"):
        reading.assume("sync_each_batch", False, WHOLE)
        values["sync_each_batch"] = False
    if name == "torchtune" and sharding in FSDP:
        read_nf4_shards(reading)
        values = {**reading.values, **values}
    if sharding not in ZERO:
        values = {key: value for key, value in values.items() if not key.startswith("deepspeed.")}
    reading.values = values
    needed = ("model",) if name in ("accelerate", "deepspeed") else ("model", "sequence_length")
    absent = {key for key in ("model", "sequence_length") if key not in values}
    missing = absent.intersection(needed) - set(changes)
    if missing:
        asked = " and ".join("MODEL" if key == "model" else "--sequence_length" for key in sorted(missing))
        raise RecipeError(
            f"{reading.source} of {TITLES[name]} does not say {', '.join(sorted(missing))}. Give {asked}."
        )
    first = {key: value for key, value in changes.items() if key in absent or "method" not in changes}
    try:
        recipe = Recipe.from_mapping(with_changes(with_changes({}, values), first))
        return recipe.replace(**changes) if "method" in changes else recipe
    except RecipeError as error:
        raise RecipeError(f"{reading.source}, read as a recipe: {error}") from None


def _several(values: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Return whether the file, or what is asked beside it, is for more than one card."""
    said = {**values, **changes}
    return any(said.get(key, 1) not in (1, None) for key in ("hardware.gpus", "hardware.nodes"))


def _provenance(recipe: Recipe, reading: Reading, changes: Mapping[str, Any]) -> tuple[Origin, ...]:
    """Return the origin of every key, in the order of the flags."""
    mapping, out = recipe.to_mapping(), []
    for flag in flags():
        value: Any = mapping
        for part in flag.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        section = flag.key.partition(".")[0]
        if "." in flag.key and mapping[section] is None:
            continue
        known = reading.origins.get(flag.key)
        if flag.key in changes or section in changes:
            known = Origin(key=flag.key, value=value, how="stated", where=ASKED[0], where_zh=ASKED[1])
        elif known is None:
            known = Origin(key=flag.key, value=value, how="assumed", where=OWN[0], where_zh=OWN[1])
        fields = {name: getattr(known, name) for name in ("how", "where", "where_zh")}
        out.append(Origin(key=flag.key, value=thawed(value), **fields))
    return tuple(out)


def _leftovers(reading: Reading, trainer: str) -> tuple[str, ...]:
    """Return the keys that touch neither memory nor time; warn of those that the trainer does not have."""
    known, ignored = known_names(trainer), []
    for name in map(str, reading.given):
        if any(used == name or used.partition(".")[0] == name for used in reading.used):
            continue
        if name in known:
            ignored.append(name)
            continue
        close = nearest(name, known | reading.used)
        place, place_zh = reading.where(name[:80])
        hint, hint_zh = (f" Did you mean {close}?", f"是否应为 {close}？") if close else ("", "")
        reading.warn(
            printable(f"{place} is no key of {reading.defaults.package} and is left aside.{hint}"),
            printable(f"{place_zh} 不是 {reading.defaults.package} 的键，已忽略。{hint_zh}"),
        )
    return tuple(ignored)


def _fetcher(beside: Mapping[str, str] | Path | None) -> Fetch:
    """Return what reads the files that a file names: only plain names below its own folder."""

    def fetch(name: str) -> tuple[str, str]:
        place = PurePosixPath(name.replace("\\", "/"))
        shown = printable(f"{name:.120}")
        if place.is_absolute() or ".." in place.parts or not place.parts:
            raise RecipeError(f"{shown} is not below the file's own folder. Copy it there.")
        if isinstance(beside, Path):
            return _bounded(beside / place), shown
        if beside is None or name not in beside:
            raise RecipeError(f"{shown} is not there. Put it beside the file that names it.")
        return beside[name], shown

    return fetch


def _bounded(path: Path) -> str:
    """Return the text of a file, of which no more is read than one may hold."""
    shown = printable(f"{path!s:.200}")
    try:
        if not path.is_file():
            raise RecipeError(f"{shown} is not a file. Name a trainer's YAML or JSON file.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecipeError(f"{shown} cannot be read: {reason}.") from None
    return _decoded(data, shown)


def _decoded(data: bytes, shown: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{shown} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
