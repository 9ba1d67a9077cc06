"""The parts of the pages that are made, not written: what commands print, and tables of what the code holds.

    python docs/generate.py [PAGE ...]           writes them again, on all pages or on these
    python docs/generate.py --check [PAGE ...]   returns 1 if a page is not as it would be written

A page marks what is made: a ``console`` block whose commands begin with ``$ tunesmith``, and a stretch
between ``<!-- made: NAME -->`` and ``<!-- end -->``. The commands ``tunesmith data`` of a page are run one
after another in a folder that holds what examples/data does; what one writes, the next can read.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unittest import mock

from tunesmith import cli
from tunesmith.api import flags
from tunesmith.hardware import GPUS, Gpu
from tunesmith.units import GIB

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md")))
CONSOLE = re.compile(r"(?<=```console\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
MADE = re.compile(r"(<!-- made: ([\w -]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
HEAD = re.compile(r" \| head -n (\d+)$")
CONTINUED = "\\\n"
COMMAND = re.compile(r"^\$ (?:.*\\\n)*.*$", re.MULTILINE)
BUILD = re.compile(r"(\btorch \d+\.\d+\.\d+)\+\w+")


def rendered(text: str) -> str:
    """Return *text* with everything that is made made anew."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(ROOT / "examples" / "data", name, dirs_exist_ok=True)
        text = CONSOLE.sub(lambda block: console(block[1], Path(name)), text)
    return MADE.sub(lambda stretch: f"{stretch[1]}{SECTIONS[stretch[2]]()}{stretch[4]}", text)


def console(block: str, folder: Path) -> str:
    """Return a console block with what its commands print; a block of other programs as it is."""
    commands = COMMAND.findall(block)
    if not commands or not all(command.startswith("$ tunesmith ") for command in commands):
        return block
    told = []
    for command in commands:
        asked = command.replace(CONTINUED, " ").removeprefix("$ tunesmith ")
        if asked.startswith("data "):
            with inside(folder):
                told.append(f"{command}\n{printed.__wrapped__(asked)}")
        else:
            told.append(f"{command}\n{printed(asked)}")
    return "\n".join(told)


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in *folder* for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@functools.cache
def printed(command: str) -> str:
    """Return what ``tunesmith COMMAND`` prints, 100 columns wide, and its exit code if that is not 0.

    ``| head -n N`` at its end is honoured. A build of torch, as in 2.13.0+cpu, does not change an answer and
    is left out. No answer comes from a cache, which may be older than the code.
    """
    command, lines = HEAD.sub("", command), HEAD.search(command)
    output = io.StringIO()
    plain = {"COLUMNS": "100", "LANG": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}
    names = [name for name in os.environ if name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "FORCE_COLOR")]
    with (
        tempfile.TemporaryDirectory() as cache,
        mock.patch.dict(os.environ, plain | {"TUNESMITH_CACHE": cache}),
    ):
        for name in names:
            del os.environ[name]
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = cli.main(shlex.split(command))
    text = [line.rstrip() for line in BUILD.sub(r"\1", output.getvalue()).strip("\n").splitlines()]
    if lines is not None:
        return "\n".join(text[: int(lines[1])]).rstrip() + "\n"
    return "\n".join([*text, *([f"(exit code {code})"] if code else [])]) + "\n"


# -- tables -----------------------------------------------------------------------------------------


def cards() -> str:
    """Return the catalogue of cards, each with the source of its memory."""
    table = row("card", "CUDA", "GiB", "bytes", "GB/s", "TFLOP/s", "context MiB", "memory read from")
    for card in GPUS.values():
        memory = f"{card.memory_bytes / GIB:.2f} | {card.memory_bytes:,}"
        rates = f"{card.bandwidth_bytes_per_second / 1e9:,.0f} | {dense(card)}"
        table += f"| {card.name} | {capability(card)} | {memory} | {rates} | {context(card)} | "
        table += f"{cell(card.memory_source)} |\n"
    return table


def datasheets() -> str:
    """Return the sources of rates, with the cards that each is for."""
    sheets: dict[str, list[str]] = {}
    for card in GPUS.values():
        sheets.setdefault(card.datasheet, []).append(card.name)
    return "".join(f"- {', '.join(names)}: {sheet}\n" for sheet, names in sheets.items())


def recipe_keys() -> str:
    """Return the keys of a recipe with their defaults."""
    table = row("key", "default", "meaning")
    for flag in flags():
        default = "required" if flag.required else f"`{json.dumps(flag.default)}`"
        table += f"| `{flag.key}` | {default} | {cell(flag.english)} |\n"
    return table


def accuracy() -> str:
    """Return the summary of docs/accuracy.md, its first table, for allocated and reserved memory alone."""
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    lines = re.search(r"(?:^\|.*\n)+", page, re.MULTILINE)
    assert lines is not None, "docs/accuracy.md has no table"
    rows = [[part.strip() for part in line.strip("|").split("|")] for line in lines[0].splitlines()[2:]]
    table = row("measured by", "figure", "runs", "median error", "95th percentile", "worst")
    for source, figure, *errors in sorted(rows, key=lambda parts: -int(parts[2])):
        if figure in ("allocated", "reserved"):
            source, said, apart = re.split(r"( on several cards)?(, libraries .*)?$", source, maxsplit=1)[:3]
            name = re.sub(r" (?:\S*/)?(\S+) \(.*| \S*/(\S+)$", r", \1\2", source)
            name += (said or "") + (apart or "")
            table += f"| {name} | {figure} | {' | '.join(errors[:4])} |\n"
    return table


SECTIONS: dict[str, Callable[[], str]] = {
    "cards": cards,
    "datasheets": datasheets,
    "recipe keys": recipe_keys,
    "accuracy": accuracy,
}


def row(*titles: str) -> str:
    """Return the head of a table."""
    return f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"


def cell(text: str) -> str:
    """Return *text* as one cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def capability(card: Gpu) -> str:
    """Return the compute capability; a dash where CUDA does not run."""
    return "–" if card.compute_capability is None else ".".join(map(str, card.compute_capability))


def dense(card: Gpu) -> str:
    """Return the dense rate of 16-bit matrix products, bfloat16 before float16, in TFLOP/s."""
    rate = next((card.peak_flops[name] for name in ("bf16", "fp16", "fp32") if name in card.peak_flops), 0)
    return f"{rate / 1e12:,.0f}"


def context(card: Gpu) -> str:
    """Return the CUDA context in MiB, measured or estimated."""
    if card.context_bytes is None:
        return "–"
    return (
        f"{card.context_bytes / 2**20:,.0f}{'' if card.context_source.startswith('measured') else ' (est.)'}"
    )


def stale(pages: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each of *pages* that is not as it would be written, with what it would be."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fresh = rendered(text)
        if fresh != text:
            yield page, fresh


def main(argv: list[str]) -> int:
    """Return 0 when the pages are, or now are, current."""
    check = "--check" in argv
    found = list(stale([Path(name).resolve() for name in argv if name != "--check"] or PAGES))
    for page, fresh in found:
        sys.stdout.write(f"{page.relative_to(ROOT)}\n")
        if not check:
            page.write_text(fresh, encoding="utf-8")
    return int(bool(found) and check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
