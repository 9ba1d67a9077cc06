"""The colours of drawings: one for each category, always the same, told apart by colour-blind readers too.

Hues follow families (blues: what is loaded; red and pink: what learns; green and yellow: what a forward
leaves behind; pale and dark grey-blue: scratch). The values come from a search that kept the distance in
OKLab (https://bottosson.github.io/posts/oklab/) between any two above 7 hundredths, and between neighbours
in the stack above 14, as seen with normal sight and with protanopia, deuteranopia and tritanopia as
simulated by Machado, Oliveira and Fernandes 2009 (https://doi.org/10.1109/TVCG.2009.113); a test checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COLORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "weights": "#426a96",
        "adapter weights": "#00b6fd",
        "quantization constants": "#8e5ee7",
        "buffers": "#2e2aa1",
        "gradients": "#fe4509",
        "optimizer states": "#e67fbe",
        "activations": "#129c5c",
        "autocast copies": "#97c5a4",
        "logits and loss": "#eed21e",
        "inputs": "#6f4a00",
        "temporaries": "#b2dcec",
        "cublas workspaces": "#4d546a",
        "gathered parameters": "#66fd8e",
        "communication buffers": "#701824",
    }
)
"""Colour of each of CATEGORIES."""

METHODS: Final[Mapping[str, str]] = MappingProxyType(
    {"full": "#e02500", "freeze": "#9124ff", "lora": "#138660", "qlora": "#0096e0"}
)
"""Colour of each method, found as those above; a shape goes with it."""

LIGHT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "panel": "#ffffff",
        "plot": "#f6f7f9",
        "edge": "#d9dde3",
        "grid": "#e6e9ee",
        "ink": "#1b2230",
        "soft": "#5b6575",
        "alarm": "#c01530",
        "calm": "#0b7a45",
    }
)
"""Everything but the categories, on a light background."""

DARK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "panel": "#12161d",
        "plot": "#191f28",
        "edge": "#2e3744",
        "grid": "#262e3a",
        "ink": "#e8ecf2",
        "soft": "#9aa5b5",
        "alarm": "#ff6b7d",
        "calm": "#4fd08b",
    }
)
"""The same on a dark one."""
