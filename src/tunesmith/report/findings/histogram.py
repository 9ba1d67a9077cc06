"""Lengths of examples as a picture: bars of doubling width, and the line at which they are cut."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from typing import Final

from tunesmith.data.lengths import Bar, Lengths
from tunesmith.report.bilingual import said
from tunesmith.report.markup import Markup, tag
from tunesmith.report.words import tell

WIDTH: Final = 1120
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 10, 1110, 24, 160


def histogram_svg(lengths: Lengths, *, lang: str) -> Markup:
    """Return how many of the measured examples have each length; left to right, a bar is twice the last."""
    bars = lengths.histogram()
    return tag(
        "svg",
        tag("title", tell(lang)("Lengths of examples in tokens", "样例长度（词元）")),
        *_drawn(bars),
        *_cut(bars, lengths.sequence_length, lang),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
        class_="card",
    )


def _drawn(bars: tuple[Bar, ...]) -> Iterator[Markup]:
    wide, most = (_RIGHT - _LEFT) / len(bars), max(bar.examples for bar in bars)
    for at, bar in enumerate(bars):
        high = (_BOTTOM - _TOP) * bar.examples / most
        left, middle = _LEFT + at * wide, _LEFT + (at + 0.5) * wide
        yield tag("rect", class_="info", x=left + 1, y=_BOTTOM - high, width=wide - 2, height=high)
        if bar.examples:
            yield tag("text", f"{bar.examples:,}", class_="figure", x=middle, y=_BOTTOM - high - 4)
        yield tag("text", f"{bar.least:,}–{bar.most:,}", class_="figure quiet", x=middle, y=_BOTTOM + 16)


def _cut(bars: tuple[Bar, ...], length: int, lang: str) -> Iterator[Markup]:
    """Yield the line at the sequence length, where it lies between the shortest and the longest."""
    wide = (_RIGHT - _LEFT) / len(bars)
    for at, bar in enumerate(bars):
        if bar.least <= length <= bar.most:
            share = log2((length + 1) / max(bar.least, 8)) if bar.least else length / 16
            x = _LEFT + (at + min(1.0, share)) * wide
            yield tag("line", class_="limit", x1=x, x2=x, y1=_TOP - 12, y2=_BOTTOM)
            side = "end" if x > WIDTH / 2 else "start"
            place = {"x": f"{x + (-6 if side == 'end' else 6):.1f}", "y": str(HEIGHT - 8)}
            words = (f"examples are cut after {length:,} tokens", f"超过 {length:,} 个词元即被截断")
            yield said("text", *words, lang, text_anchor=side, class_="alarm", **place)
