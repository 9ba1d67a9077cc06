"""Recipes come from a path or from standard input, and nothing is read beyond the bound."""

import io
import sys

import pytest

from tunesmith.errors import RecipeError
from tunesmith.recipe import read_recipe


def test_yaml_and_json_files_are_read(tmp_path):
    """The name's ending does not matter; a byte order mark is skipped."""
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfmodel: gpt2\r\noptim: sgd\r\n")
    (tmp_path / "b.txt").write_text('\ufeff{\t"model": "gpt2",\n\t"optim": "sgd"}', encoding="utf-8")
    assert read_recipe(tmp_path / "a.yaml") == read_recipe(str(tmp_path / "b.txt"))


def test_standard_input_is_named_in_errors(monkeypatch):
    """A dash stands for it."""
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"model: gpt2\nfoo: 1\n"), encoding="utf-8")
    )
    with pytest.raises(RecipeError, match=r"^standard input has 1 problem:\n  foo \(line 2\)"):
        read_recipe("-")


def test_changes_are_judged_together_with_the_file(tmp_path):
    """A flag can supply what the file lacks, and its mistakes come with the file's."""
    path = tmp_path / "r.yaml"
    path.write_text("optim: sgdd\nadapter: {r: 8}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, changes={"adapter.lora_alpha": "x", "model": "gpt2"})
    told = str(caught.value).splitlines()
    assert told[0] == f"{path} has 2 problems:"
    assert told[1].startswith("  optim (line 1)")
    assert told[2].startswith("  adapter.lora_alpha (line 2): given 'x'")
    made = read_recipe(path, changes={"model": "gpt2", "optim": "sgd"}).adapter
    assert made is not None
    assert made.r == 8


@pytest.mark.parametrize("make", ["missing", "folder", "nul", "latin", "endless"])
def test_what_cannot_be_read_is_a_recipe_error(tmp_path, make):
    """Missing files, folders, foreign encodings and endless devices end in a message that says what to do."""
    path = tmp_path / "r.yaml"
    if make == "folder":
        path.mkdir()
    elif make == "latin":
        path.write_bytes(b"model: caf\xe9")
    elif make == "nul":
        path = "r\0.yaml"
    elif make == "endless":
        path = "/dev/zero"
        if sys.platform == "win32":
            pytest.skip("no /dev/zero")
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    fixes = {"latin": "Save it as UTF-8.", "endless": "Shorten it."}
    assert str(caught.value).endswith(fixes.get(make, "Name a YAML or JSON file, or - for standard input."))
