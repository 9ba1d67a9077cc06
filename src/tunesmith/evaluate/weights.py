"""A model out of a local folder: its config.json read within bounds, its weights from safetensors only.

No code that comes with a model is run: the config passes our own parser, its class is one of transformers'
own, and weights that would have to be unpickled are not looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
import transformers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from tunesmith.architecture import load_architecture
from tunesmith.architecture.bounds import printable
from tunesmith.errors import UnsupportedError

SUFFIX: Final = ".safetensors"
"""What files of weights end in."""


def weights_of(folder: Path) -> tuple[Path, ...]:
    """Return the files of safetensors weights in *folder*, in the order of their names."""
    return tuple(sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file()))


def load_model(folder: Path, *, device: torch.device) -> Any:
    """Return the causal language model in *folder*, ready to be asked, on *device*.

    On a processor it computes in 32 bits; on a card as its weights are stored. Raises UnsupportedError where
    the installed transformers knows no such model, or its weights are quantised or not safetensors.
    """
    architecture = load_architecture(folder)
    kind, shown = architecture.model_type, printable(str(folder))
    if kind not in CONFIG_MAPPING or not weights_of(folder):
        raise UnsupportedError(
            f"{shown} has no {SUFFIX} weights of a model that transformers {transformers.__version__} knows "
            f"(model_type {kind!r}). Convert them to safetensors, or name another model."
        )
    config = CONFIG_MAPPING[kind].from_dict(architecture.to_dict())
    quantised = "quantization_config" in architecture.config
    if type(config) not in AutoModelForCausalLM._model_mapping or quantised:
        raise UnsupportedError(
            f"{shown} is not a causal language model in 16 or 32 bits, so it gives rows no loss. "
            "Name the model before it was quantised."
        )
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32 if device.type == "cpu" else "auto",
        attn_implementation="sdpa",
        local_files_only=True,
        use_safetensors=True,
    )
    return model.to(device).eval()


def best_device() -> torch.device:
    """Return the card if there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
