"""Data sets of the Hub and folders that datasets saved are read without their code, and named exactly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from tunesmith.data import hub
from tunesmith.data.hub import HubName, pinned
from tunesmith.data.reading import Row, read_rows
from tunesmith.data.scanning import recognised, scan
from tunesmith.errors import DataError, MissingExtraError

ROWS = [{"instruction": f"ask {number}", "output": f"say {number}"} for number in range(3000)]
REVISION = "0123456789abcdef0123456789abcdef01234567"

Cached = Callable[..., None]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cached:
    """Return what puts a data set into the cache of datasets, as if it had been fetched."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)

    def put(name: str, config: str, **splits: list[dict[str, Any]]) -> None:
        place = cache / name.replace("/", "___") / config / "0.0.0" / REVISION
        files = {}
        for split, rows in splits.items():
            files[split] = str(tmp_path / f"{split}.jsonl")
            Path(files[split]).write_text("".join(json.dumps(row) + "\n" for row in rows))
        made = datasets.load_dataset_builder("json", data_files=files, cache_dir=str(tmp_path / "made"))
        made.download_and_prepare()
        shutil.copytree(made.cache_dir, place)
        short = name.rpartition("/")[2]
        for file in place.glob("json-*.arrow"):
            file.rename(file.with_name(file.name.replace("json-", f"{short}-")))
        info = json.loads((place / "dataset_info.json").read_text())
        told = json.dumps({**info, "dataset_name": short, "config_name": config})
        (place / "dataset_info.json").write_text(told)

    return put


def test_a_data_set_of_the_hub_is_read_by_name(cached: Cached) -> None:
    """Its rows are those of the data file; the name that is kept says revision, configuration and split."""
    cached("owner/name", "default", train=ROWS, test=ROWS[:5])
    place = pinned("hub:owner/name")
    assert str(place) == f"hub:owner/name@{REVISION}:default:train"
    assert pinned(place) == place
    form = recognised(place)
    batches = list(scan(place, form))
    turns = [text for batch in batches for text in batch.turns["text"].to_list()]
    assert len(batches) > 1 and turns[:2] == ["ask 0", "say 0"] and len(turns) == 6000
    assert batches[-1].rows.stop == 3000 and batches[-1].share == 1.0
    assert [row.values for row in read_rows("hub:owner/name:default:test") if isinstance(row, Row)] == ROWS[
        :5
    ]
    assert str(pinned("hub:owner/name:test")) == f"hub:owner/name@{REVISION}:default:test"


def test_data_files_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cache does not have is read from the data files; of how many rows is not known."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    builder = datasets.load_dataset_builder("json", data_files={"train": str(tmp_path / "rows.jsonl")})
    builder.hash = REVISION
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder)
    place = pinned("hub:owner/name")
    assert str(place).partition("@")[2].startswith(REVISION) and str(place).endswith(":train")
    batches = list(scan("hub:owner/name", recognised("hub:owner/name")))
    assert batches[-1].rows.stop == 3000 and batches[-1].share == 0.0


def test_what_is_not_there_is_told_by_name(cached: Cached) -> None:
    """Splits, revisions and data sets that are not at hand."""
    cached("owner/name", "default", train=ROWS[:5])
    with pytest.raises(DataError, match=r"has the splits train\. Name one of them"):
        pinned("hub:owner/name:default:dev")
    with pytest.raises(DataError, match=f"is not in the cache, which has the revision {REVISION}"):
        pinned("hub:owner/name@main")
    with pytest.raises(DataError, match=r"hub:owner/other cannot be loaded: .* your connection"):
        pinned("hub:owner/other")
    with pytest.raises(DataError, match="is no name of the Hub"):
        pinned("hub:../../etc")


def test_a_folder_that_datasets_saved_is_read(tmp_path: Path) -> None:
    """The same rows; of a folder of several splits one has to be named."""
    made = datasets.Dataset.from_list(ROWS[:20])
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(tmp_path / "saved")
    place = tmp_path / "saved" / "train"
    (batch,) = scan(place, recognised(place))
    assert batch.turns.height == 40
    with pytest.raises(DataError, match=r"holds the splits test, train\. Give the folder of one of them"):
        recognised(tmp_path / "saved")


def test_readers_that_run_or_decode_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set whose files only the reader of pickles knows is refused before any is opened."""
    (tmp_path / "rows.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.warns(FutureWarning, match="Pandas builder is deprecated"):
        builder = datasets.load_dataset_builder("pandas", data_files=str(tmp_path / "rows.pkl"))
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder)
    with pytest.raises(
        DataError, match="files for the reader 'pandas' of datasets, expected Parquet or JSON"
    ):
        pinned("hub:owner/name")


def test_a_release_that_runs_scripts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without the package the way to install it is told."""
    monkeypatch.setattr(datasets, "__version__", "3.6.0")
    with pytest.raises(DataError, match=r"datasets 3\.6\.0 runs scripts"):
        pinned("hub:owner/name")
    monkeypatch.setattr(hub.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(MissingExtraError, match=r"pip install 'tunesmith\[data\]'"):
        pinned("hub:owner/name")


@pytest.mark.parametrize(
    "name",
    ["hub:squad", "hub:owner/name", "hub:owner/name@v1.0", "hub:o/n:config", "hub:o/n@main:config:test"],
)
def test_names_are_written_as_they_are_read(name: str) -> None:
    """A name of the Hub is kept word by word."""
    assert str(HubName.parse(name)) == name
