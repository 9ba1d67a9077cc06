"""Outlines come back from JSON as they went, and nothing else comes back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.outline import Outline, Variation
from tunesmith.memory.outline.keeping import packed_outline, unpacked_outline

WRONG = st.sampled_from([None, -1, 1 << 70, "x", [], {}, True, 1.5, [["x", 1]], [[-1, 1]]])


def packed(outline: Outline) -> dict[str, Any]:
    """Return what a file of the outline holds."""
    read: dict[str, Any] = json.loads(json.dumps(packed_outline(outline), allow_nan=False))
    return read


def test_an_outline_comes_back_the_same(outlined: Callable[[str], Outline]) -> None:
    """Every number and every optimizer survives the file."""
    known = outlined("full")
    again = unpacked_outline(packed(known))
    assert again == known
    asked = Variation(batch=3, length=512, optim="sgd", sharding="zero2", gpus=4)
    assert again is not None
    assert again.needs(asked) == known.needs(asked)


@given(data=st.data())
def test_a_strangers_file_is_never_half_believed(
    data: st.DataObject, outlined: Callable[[str], Outline]
) -> None:
    """With any one value replaced or missing, what comes back is an outline that answers, or nothing."""
    kept = copy.deepcopy(packed(outlined("full")))
    key = data.draw(st.sampled_from(sorted(kept)))
    if data.draw(st.booleans()):
        del kept[key]
        assert unpacked_outline(kept) is None
        return
    kept[key] = data.draw(WRONG)
    again = unpacked_outline(kept)
    if again is not None:
        assert again.peak_bytes(Variation(batch=1, length=128, optim=again.optim)) >= 0
