"""The screen: progress only where somebody waits, and other libraries' words only where they help."""

from __future__ import annotations

import io
import logging
import sys
import threading
import warnings

import pytest
from rich.console import Console

from tunesmith.cli import screen
from tunesmith.errors import RecipeError


def test_nothing_is_shown_of_quick_work() -> None:
    """Work that ends at once leaves a terminal as it was."""
    stream = io.StringIO()
    with screen.waiting("Running", Console(file=stream, force_terminal=True, force_interactive=True)):
        pass
    assert stream.getvalue() == ""


def test_long_work_is_shown_on_a_terminal_and_wiped_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that lasts is named on a terminal, and the line is gone when it ends."""
    monkeypatch.setattr(screen, "PATIENCE_SECONDS", 0.0)
    shown = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if "[red]Running" in text:
                shown.set()
            return super().write(text)

    stream = Stream()
    with screen.waiting("[red]Running", Console(file=stream, force_terminal=True, force_interactive=True)):
        assert shown.wait(60)
    assert stream.getvalue().endswith("\x1b[2K")


def test_what_is_said_later_takes_the_place_of_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long work says what it is at; escapes in it are shown as text."""
    monkeypatch.setattr(screen, "PATIENCE_SECONDS", 0.0)
    shown = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if "Tracing \\x07" in text:
                shown.set()
            return super().write(text)

    console = Console(file=Stream(), force_terminal=True, force_interactive=True)
    with screen.waiting("Searching", console) as say:
        say("Tracing \x07")
        assert shown.wait(60)


def test_nothing_is_shown_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or a pipe gets no progress, however long it takes."""
    monkeypatch.setattr(screen, "PATIENCE_SECONDS", 0.0)
    stream = io.StringIO()
    with screen.waiting("Running", Console(file=stream)):
        assert threading.active_count() == len(threading.enumerate())
    assert stream.getvalue() == ""


def test_others_chatter_is_held_back_and_our_warnings_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints, logs and warnings of other libraries are dropped; Tunesmith's warnings come through, once."""
    with screen.at_work("Running"):
        print("chatter")
        print("chatter", file=sys.stderr)
        logging.getLogger("somebody.else").warning("chatter")
        warnings.warn("chatter", FutureWarning, stacklevel=1)
        logging.getLogger("tunesmith").warning("dropped %s", "a\x1b[31m")
    logging.getLogger("tunesmith").debug("later")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "tunesmith: warning: dropped a\\x1b[31m\n"


def test_chatter_is_told_when_something_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    """With an error that nobody foresaw, what libraries said may be the reason; with a mistake it is not."""
    with pytest.raises(ZeroDivisionError), screen.at_work("Running"):
        print("the reason")
        raise ZeroDivisionError
    assert "the reason" in capsys.readouterr().err
    with pytest.raises(RecipeError), screen.at_work("Running"):
        print("noise")
        raise RecipeError("wrong")
    assert capsys.readouterr() == ("", "")
