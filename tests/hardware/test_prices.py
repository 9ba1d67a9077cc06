"""Prices: a dated table, and a file of one's own that is read like a stranger's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.errors import HardwareError
from tunesmith.hardware import GPUS
from tunesmith.hardware.prices import ENVIRONMENT, KINDS, Price, prices, usd_per_hour

CSV = "card,provider,kind,usd_per_hour,date,source\n"


@pytest.fixture(autouse=True)
def no_file_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_every_listed_price_names_card_date_and_source() -> None:
    """Each row of the table is of a catalogued card, and has a day or a commit that has one."""
    table = prices()
    assert set(table) <= set(GPUS)
    assert len(table) >= 30
    for card, listed in table.items():
        for each in listed:
            assert each.card == card
            assert 0.05 <= each.usd_per_hour <= 20
            assert each.kind in KINDS
            assert re.fullmatch(r"2026-\d\d-\d\d", each.date) or re.search(r"@[0-9a-f]{7}:", each.source)
            assert "@" in each.source or each.source.startswith("https://")


def test_a_file_replaces_the_prices_of_its_cards(tmp_path: Path) -> None:
    """Names are read as anywhere; what the file does not say is one's own; other cards keep theirs."""
    path = tmp_path / "mine.csv"
    path.write_text("card,usd_per_hour\nnvidia a100,0.5\n", encoding="utf-8")
    table = prices(path)
    (mine,) = table["A100-80GB"]
    assert (mine.usd_per_hour, mine.kind, mine.source) == (0.5, "own", str(path))
    assert table["H100-80GB"] == prices()["H100-80GB"]


def test_a_file_may_be_yaml(tmp_path: Path) -> None:
    """A list of mappings with the same keys."""
    path = tmp_path / "mine.yaml"
    path.write_text("- {card: RTX 4090, usd_per_hour: 0.31, date: 2026-11-01}\n", encoding="utf-8")
    (mine,) = prices(path)["RTX 4090"]
    assert (mine.usd_per_hour, mine.date) == (0.31, "2026-11-01")


def test_the_environment_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TUNESMITH_PRICES is read where no path is given."""
    path = tmp_path / "mine.csv"
    path.write_text(f"{CSV}T4,me,own,0.1,2026-01-02,my shelf\n", encoding="utf-8")
    monkeypatch.setenv(ENVIRONMENT, str(path))
    assert [each.source for each in prices()["T4-16GB"]] == ["my shelf"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{CSV}A100,x,cloud,much,,\n", r"line 2: usd_per_hour 'much': expected dollars an hour"),
        (f"{CSV}A100,x,cloud,-1,,\n", "line 2: usd_per_hour '-1'"),
        (f"{CSV}A100,x,cloud,nan,,\n", "line 2: usd_per_hour 'nan'"),
        (f"{CSV}A1000,x,cloud,1,,\n", "line 2: unknown GPU 'A1000'.*did you mean"),
        (f"{CSV}A100,x,friend,1,,\n", "line 2: kind 'friend': expected one of"),
        (f"{CSV}A100,x,cloud,1,yesterday,\n", "line 2: .*yesterday"),
        ("card,usd_per_hour,colour\nA100,1,red\n", "line 2: unknown column 'colour'"),
        ("card,usd_per_hour\nA100,1,2,3\n", "line 2: unknown column"),
        ("card,price\nA100,1\n", "has no column usd_per_hour"),
        ("", "has no column card and no column usd_per_hour"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, said: str) -> None:
    """An error says the file, the row, what was given and what was expected."""
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HardwareError, match=said) as caught:
        prices(path)
    assert str(path) in str(caught.value)


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    """Two mistakes are two lines."""
    path = tmp_path / "mine.csv"
    path.write_text(f"{CSV}A100,x,cloud,no,,\nT4,x,cloud,1,,\nnope,x,cloud,1,,\n", encoding="utf-8")
    with pytest.raises(HardwareError) as caught:
        prices(path)
    lines = str(caught.value).splitlines()
    assert [re.search(r"line (\d)", line)[1] for line in lines] == ["2", "4"]  # type: ignore[index]


@pytest.mark.parametrize(
    "text", ["a: b", "- 1", "!!python/object:os.system {}", "[", "- {card: [1]}", "\x00"]
)
def test_yaml_that_is_no_list_of_prices_is_refused(tmp_path: Path, text: str) -> None:
    """Mappings, numbers, tags and noise are one kind of error."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HardwareError, match=re.escape(str(path))):
        prices(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """No file, a folder, no text, and a file beyond all bounds."""
    large, binary = tmp_path / "large.csv", tmp_path / "binary.csv"
    large.write_bytes(b" " * (1 << 21))
    binary.write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "none.csv", tmp_path, large, binary):
        with pytest.raises(HardwareError, match=re.escape(str(path))):
            prices(path)


@given(st.text(max_size=200))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_prices_or_an_explained_mistake(tmp_path: Path, text: str) -> None:
    """Whatever a file holds, nothing but HardwareError comes out of it."""
    for name in ("any.csv", "any.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            table = prices(path)
        except HardwareError:
            continue
        assert all(isinstance(each, Price) for listed in table.values() for each in listed)


def test_the_usual_price_is_that_of_ones_own_or_of_a_cloud() -> None:
    """One's own comes first, then clouds, then large clouds, then markets."""
    by_kind = {
        kind: Price(card="T4-16GB", provider="", kind=kind, usd_per_hour=usd, date="", source="")
        for usd, kind in enumerate(KINDS)
    }
    order = []
    left = dict(by_kind)
    while left:
        found = usd_per_hour(list(left.values()))
        assert found is not None
        kind = KINDS[int(found[0])]
        order.append(kind)
        del left[kind]
    assert order == ["own", "cloud", "hyperscaler", "marketplace"]
    assert usd_per_hour([]) is None
