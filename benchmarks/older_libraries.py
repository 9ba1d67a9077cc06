"""What a published run of Mistral-7B allocates with the libraries of its day, on CUDA.

    pip install --no-deps --target OLD transformers==4.48.1 peft==0.13.2 accelerate==1.0.1 "tokenizers<0.22" \
        "huggingface_hub<0.30"
    PYTHONPATH=OLD python benchmarks/older_libraries.py --batch 2 --cards 2 [--quantize]

The recipe is that of fms-acceleration (24bdadb, scripts/benchmarks): LoRA of rank 16 on the attention,
dropout 0.1, sequences of 4096, reentrant checkpointing; over several cards FSDP1, wrapped by PEFT's own
policy. This process is rank 0, and PyTorch's ``fake`` process group stands for the others. Needs a card of
80 GB, or PyTorch's CUDA build with its kernels left out; the figures stand in docs/decisions.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from typing import Any

import bitsandbytes as bnb
import peft
import torch
from accelerate.utils import convert_outputs_to_fp32
from peft.utils.other import fsdp_auto_wrap_policy
from torch import distributed, nn
from torch.distributed.fsdp import FullyShardedDataParallel, MixedPrecision
from torch.testing._internal.distributed.fake_pg import FakeStore
from transformers import MistralConfig, MistralForCausalLM
from transformers.integrations import sdpa_attention

DTYPE = torch.bfloat16
LENGTH = 4096
SIZES = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "vocab_size": 32000}
HEADS = {"num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 32768}


def unexpanded_heads() -> None:
    """Let attention take key and value heads as they are, which flash-attention's own kernels did."""
    attention = nn.functional.scaled_dot_product_attention
    sdpa_attention.repeat_kv = lambda states, groups: states
    nn.functional.scaled_dot_product_attention = lambda *a, **k: attention(*a, enable_gqa=True, **k)


def quantized(model: nn.Module, storage: torch.dtype) -> None:
    """Replace all linear layers but the head by 4-bit ones, doubly quantised."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and name != "lm_head":
                options: dict[str, Any] = {"compress_statistics": True, "quant_type": "nf4"}
                shape = child.in_features, child.out_features
                packed = bnb.nn.Linear4bit(
                    *shape, bias=False, compute_dtype=DTYPE, quant_storage=storage, device="meta", **options
                )
                values = torch.empty(shape[::-1], dtype=DTYPE, device="cuda")
                weight = bnb.nn.Params4bit(
                    values, requires_grad=False, quant_storage=storage, module=packed, **options
                )
                packed.weight = weight._quantize("cuda")
                setattr(module, name, packed)
    model.is_loaded_in_4bit = True


def built(cards: int, quantize: bool) -> nn.Module:
    """Return the adapted model, on the card, in shards if there are several."""
    config = MistralConfig(**SIZES, **HEADS, sliding_window=None, use_cache=False)
    with torch.device("meta"):
        model = MistralForCausalLM._from_config(config, attn_implementation="sdpa", torch_dtype=DTYPE)
    if quantize:
        quantized(model, DTYPE if cards > 1 else torch.uint8)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    lora = peft.LoraConfig(r=16, lora_alpha=16, lora_dropout=0.1, target_modules=targets)
    model = peft.get_peft_model(model, lora)
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    for module in model.modules():
        held = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        if any(tensor.is_meta for tensor in held):
            module.to_empty(device="cuda", recurse=False)
    if cards == 1:
        return model
    os.environ["FSDP_TRANSFORMER_CLS_TO_WRAP"] = "MistralDecoderLayer"
    mixed = MixedPrecision(param_dtype=DTYPE, reduce_dtype=DTYPE, buffer_dtype=DTYPE) if quantize else None
    policy = fsdp_auto_wrap_policy(model)
    return FullyShardedDataParallel(
        model, auto_wrap_policy=policy, use_orig_params=True, mixed_precision=mixed, device_id=0
    )


def main() -> None:
    """Run two steps and print what they allocate at most."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=2, help="sequences on each card")
    parser.add_argument("--cards", type=int, default=2, help="ranks of FSDP1; 1 for none")
    parser.add_argument("--quantize", action="store_true", help="QLoRA under bfloat16 autocast")
    chosen = parser.parse_args()
    torch.cuda.set_device(0)
    if chosen.cards > 1:
        distributed.init_process_group("fake", rank=0, world_size=chosen.cards, store=FakeStore())
    unexpanded_heads()
    model = built(chosen.cards, chosen.quantize).train()
    inner = model.module if chosen.cards > 1 else model
    if chosen.quantize:  # what accelerate makes of bf16=True
        inner.forward = convert_outputs_to_fp32(torch.autocast("cuda", dtype=DTYPE)(inner.forward))
    cast = torch.autocast("cuda", dtype=DTYPE) if chosen.quantize else contextlib.nullcontext()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-5)
    torch.cuda.reset_peak_memory_stats()
    for _ in range(2):
        tokens = torch.zeros((chosen.batch, LENGTH), dtype=torch.int64, device="cuda")
        with cast:
            loss = model(input_ids=tokens, labels=tokens.clone())["loss"]
        loss.backward()
        del loss
        model.clip_grad_norm_(1.0) if chosen.cards > 1 else nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    print(f"{torch.cuda.max_memory_allocated():,} bytes allocated at most")


if __name__ == "__main__":
    main()
