"""``tunesmith data``: its verbs, one a file.

command.py  what a verb is    check.py  what is wrong with a data file
clean.py    a new file without its faults    split.py  sets to train on and to evaluate with
show.py     rows as a model reads them       mix.py    several files as one
vocabulary.py  more words for a model        build.py  rows that are made
"""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from tunesmith.cli.data.build import BUILD
from tunesmith.cli.data.check import CHECK
from tunesmith.cli.data.clean import CLEAN
from tunesmith.cli.data.command import Command
from tunesmith.cli.data.mix import MIX
from tunesmith.cli.data.show import SHOW
from tunesmith.cli.data.split import SPLIT
from tunesmith.cli.data.vocabulary import VOCABULARY

COMMANDS: Final[tuple[Command, ...]] = (SHOW, CHECK, CLEAN, BUILD, MIX, SPLIT, VOCABULARY)
"""Every verb, in the order of the work."""


Parser = TypeVar("Parser", bound=ArgumentParser)


def add_data_verbs(parser: Parser, add: Callable[..., Parser], *, zh: bool) -> dict[str, Parser]:
    """Add every verb to the parser of ``data``; *add* is told of each as ``add_parser`` is."""
    verbs: _SubParsersAction[Parser] = parser.add_subparsers(metavar="VERB", required=True, dest="verb")
    for command in COMMANDS:
        own = add(
            verbs,
            command.name,
            usage=f"tunesmith data {command.usage}",
            about=command.about[zh],
            codes=command.codes[zh],
        )
        command.add_to(own, zh=zh)
    return dict(verbs.choices)


def run(own: Mapping[str, Any]) -> int:
    """Do what the verb of *own* says, and return the exit code."""
    return next(command for command in COMMANDS if command.name == own["verb"]).run(own)
