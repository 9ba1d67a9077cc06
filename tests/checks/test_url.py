"""url: addresses in what is learned are remarked, those in questions are not."""

from __future__ import annotations

from collections.abc import Callable

from tunesmith.checks.finding import Finding
from tunesmith.checks.url import Url

Found = Callable[..., Finding | None]


def test_addresses_in_answers_are_remarked(found: Found) -> None:
    """The address is the evidence, without what is asked of it; the row stays in the set."""
    rows = [
        {"prompt": "see https://a.example/x", "completion": "fine"},
        {"prompt": "where?", "completion": "at https://b.example/y?z=1, I think"},
        {"prompt": "哪里？", "completion": "见（www.c.example/网页）。"},
        {"prompt": "what?", "completion": "http is a protocol, www a place"},
        {"prompt": "what?", "completion": "node.js, main.py, e.g. a/b and Amazon.com"},
        {"prompt": "what?", "completion": "see d.example.org/path. Or HTTPS://E.EXAMPLE"},
    ]
    finding = found(Url, rows)
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("info", (1, 2, 5), ())
    assert [each.text for each in finding.evidence] == ["b.example/y", "c.example/网页", "d.example.org/path"]
