"""A model with more words is the old model wherever the words are not, and its rows start as told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from tunesmith.data.scanning import recognised
from tunesmith.data.tokenizer import load_tokenizer
from tunesmith.data.vocabulary import Vocabulary, find_vocabulary
from tunesmith.errors import OutputError, UnsupportedError
from tunesmith.evaluate.extending import RECORD, extend

Made = Callable[..., Path]

PLAIN = [f"say {word} {n}" for n in range(40) for word in ("moss", "trout", "pearl")]
STEMS = ("photo", "cyto", "hydro", "thermo", "neuro", "litho", "chromo", "immuno")
ENDS = ("synthesis", "plasm", "genesis", "logical", "metric", "graphy", "kinetics", "therapy", "dynamics")
TERMS = [stem + end for stem in STEMS for end in ENDS]


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    """Return a file of 72 terms that the tokenizer has never seen, each twelve times, and some Chinese."""
    rows = [
        {"prompt": f"what is {term}?", "completion": f"the {term} of moss, see {term} {n}. 光合作用很重要"}
        for n in range(4)
        for term in TERMS
    ]
    path = tmp_path / "domain.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def found(domain: Path, folder: Path, add: int) -> Vocabulary:
    return find_vocabulary(domain, recognised(domain), load_tokenizer(folder), add=add)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    held = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            held |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return held


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("add", [1, 3, 64])
def test_old_tokens_keep_their_logits(made: Made, domain: Path, tmp_path: Path, add: int, tied: bool) -> None:
    """After saving and loading, logits of old tokens are equal to the bit, and so are all other tensors."""
    folder, target = made(PLAIN, tied=tied), tmp_path / "more"
    vocabulary = found(domain, folder, add)
    assert len(vocabulary.additions) == add
    extended = extend(vocabulary, folder, load_tokenizer(folder), target)
    before, after = tensors(folder), tensors(target)
    assert set(before) == set(after)
    changed = {name for name in before if before[name].shape != after[name].shape}
    assert changed == set(extended.tensors) and len(changed) == (1 if tied else 2)
    assert all(torch.equal(before[name], after[name]) for name in set(before) - changed)
    old, new = (AutoModelForCausalLM.from_pretrained(each) for each in (folder, target))
    assert (new.lm_head.weight is new.model.embed_tokens.weight) == tied == extended.tied
    text = "say moss 3 and trout"
    tokenizers = [AutoTokenizer.from_pretrained(each) for each in (folder, target)]
    ids, same = (each(text, return_tensors="pt").input_ids for each in tokenizers)
    assert torch.equal(ids, same)
    with torch.inference_mode():
        rows = old.config.vocab_size
        assert torch.equal(old(ids).logits, new(ids).logits[..., :rows])
        assert new(ids).logits.shape[-1] == rows + add == new.config.vocab_size


def test_a_new_row_is_the_mean_of_its_pieces(made: Made, domain: Path, tmp_path: Path) -> None:
    """In the embedding and in the head; the tokenizer writes the word as one token and reads it back."""
    folder, target = made(PLAIN, tied=False), tmp_path / "more"
    vocabulary = found(domain, folder, 5)
    extend(vocabulary, folder, load_tokenizer(folder), target)
    before, after = tensors(folder), tensors(target)
    tokenizer = AutoTokenizer.from_pretrained(target)
    plain = AutoTokenizer.from_pretrained(folder)
    for each in vocabulary.additions:
        assert tokenizer.convert_tokens_to_ids(each.content) == each.id
        assert tuple(plain(each.content, add_special_tokens=False).input_ids) == each.pieces
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            mean = before[name][list(each.pieces)].double().mean(0).float()
            assert torch.equal(after[name][each.id], mean)
        text = f"the {each.term}, of {each.term}. x{each.term}y"
        assert tokenizer.decode(tokenizer(text).input_ids) == text
        assert len(tokenizer(text).input_ids) < len(plain(text).input_ids)


def test_spare_rows_are_used_before_the_matrix_grows(made: Made, domain: Path, tmp_path: Path) -> None:
    """A matrix with 4 rows to spare grows by 2 for 6 words."""
    folder = made(PLAIN, spare=4)
    vocabulary = found(domain, folder, 6)
    extended = extend(vocabulary, folder, load_tokenizer(folder), tmp_path / "more")
    assert extended.rows == extended.rows_before + 2 == vocabulary.first_id + 6


def test_settings_and_shards_stay(made: Made, domain: Path, tmp_path: Path) -> None:
    """The settings of generation are the same bytes, the index adds up, and the record says what was done."""
    folder, target = made(PLAIN, tied=False, max_shard_size="60KB"), tmp_path / "more"
    vocabulary = found(domain, folder, 3)
    extend(vocabulary, folder, load_tokenizer(folder), target)
    name = "generation_config.json"
    assert (target / name).read_bytes() == (folder / name).read_bytes()
    indexes = [json.loads((each / "model.safetensors.index.json").read_text()) for each in (folder, target)]
    assert indexes[0]["weight_map"] == indexes[1]["weight_map"]
    held = sum(each.numel() * each.element_size() for each in tensors(target).values())
    assert indexes[1]["metadata"]["total_size"] == held
    record = json.loads((target / RECORD).read_text("utf-8"))
    assert record["saved_tokens"] == vocabulary.saved_tokens and len(record["inputs"][0]["sha256"]) == 64
    assert AutoModelForCausalLM.from_pretrained(target).generation_config.max_new_tokens == 17


def test_nothing_is_written_where_something_is_or_where_it_cannot_be_done(
    made: Made, domain: Path, tmp_path: Path
) -> None:
    """A folder that is not empty is left alone; a model with another use of its vocabulary is refused."""
    folder = made(PLAIN)
    vocabulary, files = found(domain, folder, 1), load_tokenizer(folder)
    with pytest.raises(OutputError, match="not empty"):
        extend(vocabulary, folder, files, folder)
    config = json.loads((folder / "config.json").read_text())
    for change, said in (
        ({"vocab_size": 48}, "do not belong together"),
        ({"quantization_config": {}}, "cannot be extended"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(UnsupportedError, match=said):
            extend(vocabulary, folder, files, tmp_path / "more")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["domain.jsonl", "model"]
