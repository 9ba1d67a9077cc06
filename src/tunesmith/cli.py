"""The command line: parse, call one function of api, show.

Answers go to standard output, everything else to standard error. Exit codes: 0 the run fits or no card was
named, 1 it does not fit, 2 a mistake that can be mended, 130 interrupted, 141 nobody reads the output any
more, 70 an error of Tunesmith itself.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import json
import logging
import os
import re
import shutil
import sys
import threading
import traceback
import warnings
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, TextIO

from rich.console import Console, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tunesmith import __version__, api
from tunesmith.errors import TunesmithError

FITS, DOES_NOT_FIT, MISTAKE, BUG, INTERRUPTED, UNREAD = 0, 1, 2, 70, 130, 141
"""Exit codes; the last three as in sysexits.h and in shells after SIGINT and SIGPIPE."""

_COLUMNS: Final = 100
_OWN: Final = ("recipe", "json", "suggest", "explain", "folklore", "timeline", "snapshot", "engine", "lang")
"""Options that are no keys of a recipe."""
_FILES: Final = ("timeline", "snapshot")
_RUNNING: Final = {"en": "Running the training step without a GPU", "zh": "正在没有 GPU 的情况下运行训练步"}
_COMPARING: Final = {"en": "Computing what one change would save", "zh": "正在计算只改一处能省多少"}


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of the command line *argv*, which leaves out the program's name."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        own, changes = _parse(arguments)
        return _estimate(own, changes)
    except SystemExit as stop:  # argparse has said what there was to say
        return stop.code if isinstance(stop.code, int) else MISTAKE
    except TunesmithError as error:
        _tell_error(str(error))
        return MISTAKE
    except BrokenPipeError:
        raise
    except Exception:  # whatever it is, it must not exit with 1, which means "does not fit"
        traceback.print_exc()
        _tell_error("This is an error of Tunesmith, not of yours. Please report it with the lines above.")
        return BUG


def _estimate(own: Mapping[str, Any], changes: Mapping[str, Any]) -> int:
    """Return the exit code of ``tunesmith estimate`` after showing its answer."""
    files = [own[kind] for kind in _FILES if own[kind] is not None]
    for kind in _FILES:
        if own[kind] is not None:
            api.check_output(own[kind], kind=kind)
    recipe = api.make_recipe(changes, path=own["recipe"])
    lang, text = own["lang"], not own["json"]
    suggest = text if own["suggest"] is None else own["suggest"]
    with _at_work(_RUNNING[lang]):
        answer = api.estimate(
            recipe, engine=own["engine"], timeline=text or bool(files), suggest=suggest and not text
        )
    for path in files:
        api.write(answer, path, lang=lang)
    if text:
        _print(api.show(answer, lang=lang, explain=own["explain"], folklore=own["folklore"]))
        if suggest:  # after the answer, which need not wait for it
            with _at_work(_COMPARING[lang]):
                answer = api.suggest(answer)
            _print(api.show_suggestions(answer, lang=lang))
    else:
        sys.stdout.write(json.dumps(answer.to_mapping(), allow_nan=False) + "\n")
    return DOES_NOT_FIT if answer.fits is False else FITS


# Parsing.


class _Parser(ArgumentParser):
    """argparse, whose messages no terminal obeys."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        _tell_error(message)
        sys.exit(MISTAKE)


def _parse(arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return our own options, and the keys of the recipe that were given."""
    parser, estimate = _parsers(_language(arguments, os.environ))
    given, unknown = parser.parse_known_args(_with_values(arguments))
    if unknown:
        estimate.error(f"unknown argument {unknown[0]}.{_near_miss(unknown[0], estimate)}")
    chosen: dict[str, Any] = dict(vars(given))
    own = {name: chosen.pop(name) for name in _OWN}
    if own["recipe"] is None and "model" not in chosen:
        estimate.error(
            "no model is named. Give MODEL (a Hub id, a folder or a config.json) or --recipe FILE."
        )
    if own["json"] and (own["explain"] or own["folklore"]):
        estimate.error("--json prints one object and nothing else. Leave out --explain and --folklore.")
    return own, chosen


def _parsers(lang: str) -> tuple[_Parser, _Parser]:
    """Return the whole parser, and that of ``estimate``."""
    zh = lang == "zh"
    parser = _Parser(
        prog="tunesmith",
        description="微调所需的显存，在运行之前算准。"
        if zh
        else "What a fine-tune needs, computed before it runs.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tunesmith {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    about = (
        "一张卡上的微调需要多少显存：精确，且不用 GPU"
        if zh
        else "what one GPU needs for a fine-tune, exactly, without a GPU"
    )
    estimate = commands.add_parser(
        "estimate",
        help=about,
        description=about,
        usage="tunesmith estimate MODEL [flags]\n       tunesmith estimate --recipe FILE [MODEL] [flags]",
        epilog="退出码：0 放得下或未指定显卡；1 放不下；2 输入有误。"
        if zh
        else "exit codes: 0 it fits, or no card is named; 1 it does not fit; 2 a mistake in what was given",
        formatter_class=_wide,
        allow_abbrev=False,
    )
    _add_own(estimate, zh)
    _add_keys(estimate, zh)
    return parser, estimate


def _wide(prog: str) -> RawDescriptionHelpFormatter:
    width = min(shutil.get_terminal_size((_COLUMNS, 24)).columns, _COLUMNS)
    return RawDescriptionHelpFormatter(prog, max_help_position=36, width=width)


def _add_own(parser: ArgumentParser, zh: bool) -> None:
    """Add what is asked of the answer."""

    def add(name: str, en: str, chinese: str, **options: Any) -> None:
        parser.add_argument(name, help=chinese if zh else en, **options)

    add(
        "model",
        "a Hub id, a folder, a config.json or a name of the catalogue",
        "Hub 名称、文件夹、config.json 或内置目录中的名称",
        metavar="MODEL",
        nargs="?",
        default=SUPPRESS,
    )
    add(
        "--recipe",
        "read the recipe from a YAML or JSON file; - is standard input",
        "从 YAML 或 JSON 文件读取配方；- 表示标准输入",
        metavar="FILE",
    )
    add("--json", "print one JSON object and nothing else", "只输出一个 JSON 对象", action="store_true")
    add(
        "--explain", "derive every part in words and numbers", "用文字和数字推导每个部分", action="store_true"
    )
    add(
        "--folklore",
        "set the formulas that people use beside the answer",
        "把流传的公式与答案并列",
        action="store_true",
    )
    add(
        "--timeline",
        "draw memory over the step: .html, .svg or .json",
        "绘制训练步的显存曲线：.html、.svg 或 .json",
        metavar="FILE",
    )
    add(
        "--snapshot",
        "write PyTorch's memory snapshot: .pickle",
        "写出 PyTorch 的显存快照：.pickle",
        metavar="FILE",
    )
    add(
        "--suggest",
        "compute what one change would save; text does, JSON does not unless asked",
        "计算只改一处能省多少；文字输出默认计算，JSON 默认不算",
        action=BooleanOptionalAction,
    )
    add(
        "--engine",
        "trace runs every layer, ledger a few and unrolls them, auto answers from disk where it can [auto]",
        "trace 运行每一层；ledger 只运行几层再展开；auto 能用磁盘上的答案就用 [auto]",
        choices=("auto", "trace", "ledger"),
        default="auto",
    )
    add("--lang", "language of the text", "文字的语言", choices=api.LANGUAGES, default="zh" if zh else "en")


def _add_keys(parser: ArgumentParser, zh: bool) -> None:
    """Add a flag for every key of a recipe, in a group for each section."""
    groups = {}
    for flag in api.flags():
        section = flag.key.rpartition(".")[0]
        if section not in groups:
            title = f"{section}: " if section else ("配方的键" if zh else "keys of the recipe")
            groups[section] = parser.add_argument_group(title.rstrip(": "))
        words = flag.chinese if zh else flag.english
        if not flag.required:
            words = f"{words} [{_shown(flag.default)}]"
        # The shortest spelling is shown; the others work too.
        shown = min((name for name in flag.names if "-" not in name[2:]), key=len)
        options: dict[str, Any] = {"dest": flag.key, "default": SUPPRESS, "type": flag.read}
        others = [name for name in flag.names if name != shown]
        metavar = "|".join(flag.choices)
        if flag.key == "model":
            groups[section].add_argument(*flag.names, help=SUPPRESS, **options)
            continue
        groups[section].add_argument(
            shown,
            help=words.replace("%", "%%"),
            metavar=metavar if 0 < len(metavar) <= 48 else "VALUE",
            **options,
        )
        if others:
            groups[section].add_argument(*others, help=SUPPRESS, **options)


def _shown(value: object) -> str:
    """Return a default as it would be written in a recipe."""
    return value if isinstance(value, str) else json.dumps(value, default=dict)


def _with_values(arguments: Sequence[str]) -> list[str]:
    """Return *arguments* with ``true`` given to every switch that has no value of its own.

    >>> _with_values(["--packing", "gpt2"])
    ['--packing=true', 'gpt2']
    """
    switches = {name: flag for flag in api.flags() if flag.alone for name in flag.names}
    out: list[str] = []
    for index, argument in enumerate(arguments):
        if argument == "--":
            return [*out, *arguments[index:]]
        flag = switches.get(argument)
        following = arguments[index + 1].lower() if index + 1 < len(arguments) else ""
        out.append(f"{argument}={flag.alone}" if flag and following not in flag.choices else argument)
    return out


def _near_miss(unknown: str, parser: ArgumentParser) -> str:
    """Return a sentence that names the option that was probably meant, or where to find them all."""
    name = unknown.partition("=")[0].lower()
    options = [option for option in parser._option_string_actions if option.startswith("--")]
    near = difflib.get_close_matches(name, options, n=1) if name.startswith("-") else []
    if not near and name.startswith("--"):
        bare = name.strip("-").replace("-", "_")
        words = {
            word: option for option in reversed(options) for word in re.split(r"[._-]+", option.strip("-"))
        }
        word = difflib.get_close_matches(bare, words, n=1)
        near = [option for option in options if option.endswith(f"_{bare}")] or [words[each] for each in word]
    return f" Did you mean {near[0]}?" if near else " See tunesmith estimate --help."


def _language(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the language that is asked for, or that of the environment."""
    for index, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--lang":
            asked = value or "".join(arguments[index + 1 : index + 2])
            return asked if asked in api.LANGUAGES else "en"
    spoken = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh" if spoken.lower().startswith("zh") else "en"


# Showing.


def _console(stream: TextIO) -> Console:
    """Return a console on *stream* that takes no text for markup, at most 100 columns wide."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    if "COLUMNS" not in os.environ:
        console.width = min(console.width, _COLUMNS) if console.is_terminal else _COLUMNS
    return console


def _print(shown: RenderableType) -> None:
    """Print *shown* on standard output, without blanks at the ends of lines."""
    console = _console(sys.stdout)
    with console.capture() as captured:
        console.print(shown)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    sys.stdout.flush()


def _tell_error(message: str) -> None:
    """Print *message* on standard error, without what a terminal would obey."""
    lines = (api.inert(line, 2000) for line in message.splitlines())
    sys.stderr.write("tunesmith: " + "\n".join(lines) + "\n")


@contextlib.contextmanager
def _at_work(doing: str) -> Iterator[None]:
    """Say *doing* if it takes long, let our own warnings through, and hold back those of others."""
    with _warnings_to(sys.stderr), _waiting(doing, _console(sys.stderr)), _chatter_held_back():
        yield


@contextlib.contextmanager
def _warnings_to(stream: TextIO) -> Iterator[None]:
    """Print what Tunesmith warns of on *stream*."""
    handler, logger = logging.StreamHandler(stream), logging.getLogger("tunesmith")
    handler.format = lambda record: f"tunesmith: warning: {api.inert(record.getMessage(), 2000)}"  # type: ignore[method-assign]
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


@contextlib.contextmanager
def _waiting(doing: str, console: Console) -> Iterator[None]:
    """Show *doing* and the time it takes, on a terminal and from the second second on."""
    if not console.is_interactive:
        yield
        return
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    progress = Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    )
    progress.add_task(doing, total=None)
    timer = threading.Timer(1.0, progress.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        progress.stop()


@contextlib.contextmanager
def _chatter_held_back() -> Iterator[None]:
    """Keep what other libraries print from the user, unless something goes wrong that we cannot explain."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (TunesmithError, KeyboardInterrupt):
        raise
    except BaseException:
        sys.stderr.write(said.getvalue())
        raise
