"""FSDP2 shards 4-bit weights that are kept in a floating-point type, and leaves the others whole."""

from __future__ import annotations

import pytest

from tunesmith import api


@pytest.mark.parametrize(("storage", "shards"), [("uint8", 1), ("bfloat16", 4)])
def test_packed_weights_are_sharded_as_their_storage_allows(storage: str, shards: int) -> None:
    """Accelerate leaves out what is no floating-point number; what is left rests in equal shares."""
    recipe = {
        "model": "HuggingFaceTB/SmolLM2-135M",
        "method": "qlora",
        "quantization": {"quant_storage": storage},
        "precision": {"autocast": "bfloat16"},
        "sequence_length": 64,
    }
    alone = api.estimate({**recipe, "hardware": {"gpu": "A100-80GB"}}, engine="ledger")
    four = api.estimate(
        {**recipe, "sharding": "fsdp", "hardware": {"gpu": "A100-80GB", "gpus": 4}}, engine="ledger"
    )
    plain = 49152 * 576 * 2 + 61 * 576 * 2  # the tied embedding and the norms, in 16 bits
    packed = alone.parts["weights"] - plain
    whole = packed / shards + plain / 4
    assert four.parts["weights"] == pytest.approx(whole, rel=0.02)
