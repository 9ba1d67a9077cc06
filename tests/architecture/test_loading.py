"""Folder, file, mapping, catalogue name or Hub id in; an Architecture or an explained refusal out."""

import json
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import load_architecture, loading
from tunesmith.architecture.bounds import MAX_BYTES
from tunesmith.errors import ArchitectureError, MissingExtraError

LLAMA = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "my-model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(LLAMA))
    return made


def test_a_folder_and_its_file_give_the_same(folder: Path) -> None:
    by_folder, by_text = load_architecture(folder), load_architecture(str(folder))
    by_file = load_architecture(folder / "config.json")
    assert by_folder == by_text == by_file
    assert {it.name for it in (by_folder, by_text, by_file)} == {"my-model"}
    assert by_folder.source == str(folder / "config.json")


def test_a_file_of_another_name_is_called_by_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps(LLAMA))
    assert load_architecture(tmp_path / "tiny.json").name == "tiny"


def test_a_mapping_is_the_config_itself() -> None:
    it = load_architecture(LLAMA)
    assert (it.to_dict(), it.source) == (LLAMA, "inline")


def test_a_catalogue_name_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_hub", lambda: pytest.fail("the network was asked for"))
    assert load_architecture("llama-3-8b").name == "meta-llama/Meta-Llama-3-8B"


def test_a_folder_here_comes_before_a_catalogue_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    assert load_architecture("gpt2").source == "catalogue"  # a folder without config.json is no model
    (tmp_path / "gpt2" / "config.json").write_text(json.dumps(LLAMA))
    assert load_architecture("gpt2").to_dict() == LLAMA


@pytest.mark.parametrize(
    "name", ["./nowhere", "/nowhere/at/all", "~nobody-of-this-name/x", "nowhere.json", "..\\x"]
)
def test_what_looks_like_a_path_is_never_asked_of_the_network(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_hub", lambda: pytest.fail("the network was asked for"))
    with pytest.raises(ArchitectureError, match="cannot be read"):
        load_architecture(name)


def test_a_folder_without_a_config_says_what_it_must_hold(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match=r"must hold a config\.json"):
        load_architecture(tmp_path)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({**LLAMA, "note": "secret"}))
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(secret)
    with pytest.raises(ArchitectureError, match="a link out of its folder"):
        load_architecture(folder)
    assert (
        load_architecture(folder / "config.json").to_dict()["note"] == "secret"
    )  # named by the user himself


def test_a_sibling_whose_name_begins_alike_is_outside(folder: Path, tmp_path: Path) -> None:
    """A prefix of the text is not a parent: the hole of CVE-2025-61784's first fix."""
    (tmp_path / "my-model-evil").mkdir()
    (tmp_path / "my-model-evil" / "config.json").write_text(json.dumps(LLAMA))
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("../my-model-evil/config.json")
    with pytest.raises(ArchitectureError, match="a link out of its folder"):
        load_architecture(folder)


def test_the_layout_of_the_hubs_cache_is_followed(tmp_path: Path) -> None:
    model = tmp_path / "models--o--n"
    (model / "blobs").mkdir(parents=True)
    (model / "snapshots" / "abc").mkdir(parents=True)
    (model / "blobs" / "d1").write_text(json.dumps(LLAMA))
    (model / "snapshots" / "abc" / "config.json").symlink_to("../../blobs/d1")
    assert load_architecture(model / "snapshots" / "abc").to_dict() == LLAMA


def test_a_ring_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("config.json")
    for path in (tmp_path, tmp_path / "config.json"):
        with pytest.raises(ArchitectureError, match="cannot be read"):
            load_architecture(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_a_fifo_a_device_a_socket_and_a_folder_are_not_opened(folder: Path) -> None:
    config = folder / "config.json"
    config.unlink()
    os.mkfifo(config)  # opening it for reading would wait for a writer, for ever
    with pytest.raises(ArchitectureError, match="not a regular file"):
        load_architecture(folder)
    config.unlink()
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # the path of a socket must be short
        server.bind("config.json")
        with pytest.raises(ArchitectureError, match="not a regular file"):
            load_architecture(folder)
    config.unlink()
    config.mkdir()
    with pytest.raises(ArchitectureError, match="not a regular file"):
        load_architecture(folder)
    with pytest.raises(ArchitectureError, match="not a regular file"):
        load_architecture("/dev/zero")


def test_a_file_over_a_megabyte_is_refused_by_its_size(folder: Path) -> None:
    with (folder / "config.json").open("r+b") as file:
        file.truncate(1 << 40)  # sparse: nothing is written
    with pytest.raises(ArchitectureError, match=r"1,099,511,627,776 bytes"):
        load_architecture(folder)


def test_a_file_that_grows_after_it_was_measured_is_read_to_the_limit_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config.json").write_bytes(b" " * (3 * MAX_BYTES))
    monkeypatch.setattr(loading, "_check", lambda status, shown: None)
    with pytest.raises(ArchitectureError, match=rf"{MAX_BYTES + 1:,} bytes"):
        load_architecture(folder)


@pytest.mark.parametrize(
    "model", ["", "  ", "a\nb", "a\x00b", "\x1b[2J", "x" * 5000, 7, None, ["gpt2"], b"gpt2"]
)
def test_what_cannot_name_a_model_is_refused(model: Any) -> None:
    with pytest.raises(ArchitectureError, match=r"model is .*expected a folder"):
        load_architecture(model)


@pytest.mark.parametrize(
    "name", ["../evil/x", "a/../b", "a/b/c", "a//b", "-a/b", ".a/b", "a/b..c", "a/b?x", "a/é"]
)
def test_what_is_no_hub_id_never_reaches_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_hub", lambda: pytest.fail("the network was asked for"))
    with pytest.raises(ArchitectureError):
        load_architecture(name)


@given(st.text(max_size=40))
def test_any_text_is_a_model_or_a_mistake(name: str) -> None:
    try:
        load_architecture(name, download=False)
    except ArchitectureError as error:
        assert all(line.isprintable() for line in str(error).splitlines())


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        ArchitectureError, match=r"no model is called 'lama-3-8b'\. Did you mean meta-llama/Meta-Ll"
    ):
        load_architecture("lama-3-8b")


def test_without_permission_to_download_the_message_names_the_way_out() -> None:
    with pytest.raises(ArchitectureError, match=r"Download its config\.json and pass its path"):
        load_architecture("someone/some-model", download=False)


def test_without_the_hubs_client_the_message_is_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tunesmith\[memory\]'"):
        load_architecture("someone/some-model")


def test_what_is_wrong_inside_a_file_is_said_and_not_that_it_cannot_be_read(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama", "n_layer": 0}')
    for path in (folder, folder / "config.json"):
        with pytest.raises(ArchitectureError, match="n_layer: 0 given"):
            load_architecture(path)


def test_offline_the_real_client_fails_at_once_and_the_message_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    real = hub.try_to_load_from_cache
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *a, **k: real(*a, cache_dir=tmp_path, **k))
    with pytest.raises(
        ArchitectureError, match=r"could not be fetched .*download config\.json and pass its path"
    ):
        load_architecture("someone/some-model")


def test_offline_a_config_in_the_real_clients_cache_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    model = tmp_path / "models--someone--some-model"
    (model / "snapshots" / "abc").mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    (model / "snapshots" / "abc" / "config.json").write_text(
        json.dumps({**LLAMA, "auto_map": {"AutoModel": "m.E"}})
    )
    real = hub.try_to_load_from_cache
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *a, **k: real(*a, cache_dir=tmp_path, **k))
    it = load_architecture("someone/some-model")
    assert (it.to_dict(), it.name, it.source) == (LLAMA, "someone/some-model", "Hub: someone/some-model")
    assert "auto_map" in it.warnings[0]


def hub_holding(path: Path, *, size: int | None, asked: list[str]) -> SimpleNamespace:
    """Return a stand-in for the Hub's client that says *size* and then hands out *path*."""

    def download(name: str, file: str, *, revision: str | None) -> str:
        asked.append(f"{name} {file} {revision}")
        return str(path)

    return SimpleNamespace(
        hf_hub_url=lambda name, file, *, revision: f"{name}/{file}",
        get_hf_file_metadata=lambda url, *, timeout: SimpleNamespace(size=size),
        hf_hub_download=download,
    )


def test_a_hub_config_meets_the_same_parser_and_only_config_json_is_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    hub = hub_holding(folder / "config.json", size=100, asked=asked)
    monkeypatch.setattr(loading, "_hub", lambda: hub)
    it = load_architecture("meta-llama/Meta-Llama-3-8B", revision="v2")
    assert it.to_dict() == LLAMA  # a revision is asked of the Hub, past the catalogue
    assert it.source == "Hub: meta-llama/Meta-Llama-3-8B@v2"
    assert asked == ["meta-llama/Meta-Llama-3-8B config.json v2"]


def test_a_hub_config_of_gigabytes_is_refused_before_it_is_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    hub = hub_holding(folder / "config.json", size=1 << 33, asked=asked)
    monkeypatch.setattr(loading, "_hub", lambda: hub)
    with pytest.raises(ArchitectureError, match=r"8,589,934,592 bytes"):
        load_architecture("someone/some-model")
    assert asked == []
