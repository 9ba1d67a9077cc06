"""Parse every kept export with the trainer's own parser, and compare our tables of defaults with its own.

    python benchmarks/parsers.py axolotl llamafactory swift torchtune deepspeed

None of them installs beside the libraries that the engine runs, so each gets a virtual environment of its own
under ``--folder`` (a temporary one unless named, kept if named). TRL and accelerate are parsed by the tests.
What was run, and when, is written in docs/trainers.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "trainers"
INSTALL: Mapping[str, tuple[str, ...]] = {
    "axolotl": ("axolotl==0.19.0",),
    "llamafactory": ("llamafactory==0.9.5",),
    "swift": ("ms-swift==4.6.0", "transformers==5.19.0", "torch"),
    "torchtune": ("torchtune==0.6.1", "torchao==0.9.0", "torch"),
    "deepspeed": ("deepspeed==0.19.8", "transformers==5.23.0", "accelerate==1.15.0", "torch"),
}
"""What pip installs, besides PyYAML, which our own tables need."""


def main() -> int:
    """Return 0 if every trainer's parser takes every file and every default agrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trainers", nargs="*", default=sorted(INSTALL))
    parser.add_argument("--folder", type=Path, help="where the environments are made, or are already")
    parser.add_argument("--inside", action="store_true", help="check here, in this environment")
    given = parser.parse_args()
    if given.inside:
        return sum(not CHECKS[name]() for name in given.trainers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        return sum(_checked_apart(name, folder / name) for name in given.trainers)


def _checked_apart(name: str, place: Path) -> int:
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *INSTALL[name], "PyYAML", "rich"], check=True)
    quiet = {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    environment = {**os.environ, **quiet, "PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run([python, __file__, "--inside", name], env=environment, check=False)
    return ran.returncode


def _kept(name: str) -> Iterator[tuple[str, Path]]:
    """Yield each recipe's name and the first file of its export for the trainer, the refused left out."""
    for recipe in sorted(GOLDEN.iterdir()):
        for file in ("axolotl.yaml", "llamafactory.yaml", "swift.yaml", "torchtune.yaml", "ds_config.json"):
            place = recipe / name / file
            if place.exists() and not (file == "ds_config.json" and name != "deepspeed"):
                yield recipe.name, place


def _told(name: str, version: str, parsed: int, differing: Mapping[str, Any]) -> bool:
    print(f"{name} {version}: {parsed} files parsed; defaults that differ: {differing or 'none'}")
    return parsed > 0 and not differing


def _differing(table: Any, own: Mapping[str, Any], exceptions: Mapping[str, str]) -> dict[str, Any]:
    """Return our defaults that are not the package's, but for *exceptions*, whose reason is beside them."""
    out: dict[str, Any] = {}
    seen = set(exceptions)
    for place, values in table.tables.items():
        for key, value in values.items():
            if key in seen or key not in own:
                continue
            seen.add(key)
            found = getattr(own[key], "value", own[key])
            if (found or None) != (value or None):
                out[f"{place}: {key}"] = (value, found)
    return out


def _fields(*kinds: type) -> dict[str, Any]:
    """Return the defaults of dataclasses' fields."""
    out = {}
    for kind in kinds:
        for spec in dataclasses.fields(kind):
            missing = spec.default is dataclasses.MISSING
            has_factory = spec.default_factory is not dataclasses.MISSING
            out[spec.name] = spec.default_factory() if missing and has_factory else spec.default
    return out


def check_axolotl() -> bool:
    """Return whether Axolotl's validate_config() takes every file, plugins loaded."""
    import yaml
    from axolotl import __version__
    from axolotl.utils.config import prepare_plugins, validate_config
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig

    from tunesmith.trainers.axolotl import DEFAULTS

    parsed = 0
    card = {"bf16": True, "fp8": False, "tf32": True, "n_gpu": 8, "n_node": 1, "compute_capability": "sm_80"}
    for recipe, place in _kept("axolotl"):
        config = DictDefault(yaml.safe_load(place.read_text(encoding="utf-8")))
        prepare_plugins(config)
        made = validate_config(config, capabilities=card, env_capabilities={"torch_version": "2.11.0"})
        assert made["sequence_len"] == config["sequence_len"], recipe
        parsed += 1
    fields = AxolotlInputConfig.model_fields.items()
    own = {name: spec.get_default(call_default_factory=True) for name, spec in fields}
    computed = {
        "warmup_ratio": "src/axolotl/core/builders/base.py computes it",
        "max_grad_norm": "null is left to TrainingArguments",
        "seed": "null is left to TrainingArguments",
        "lora_r": "null is left to PEFT",
        "lora_alpha": "null is left to PEFT",
    }
    return _told("axolotl", __version__, parsed, _differing(DEFAULTS, own, computed))


def check_llamafactory() -> bool:
    """Return whether LLaMA-Factory's HfArgumentParser takes every file, DeepSpeed left out."""
    import yaml
    from llamafactory.extras.env import VERSION
    from llamafactory.hparams.parser import _TRAIN_ARGS
    from transformers import HfArgumentParser

    from tunesmith.trainers.llamafactory import DEFAULTS

    parsed = 0
    for recipe, place in _kept("llamafactory"):
        config = yaml.safe_load(place.read_text(encoding="utf-8")) | {"use_cpu": True}
        config.pop("deepspeed", None)
        model, data, training, tuning, _ = HfArgumentParser(_TRAIN_ARGS).parse_dict(config)
        assert model.model_name_or_path == config["model_name_or_path"], recipe
        # A packed row is one token longer than cutoff_len says, so DataArguments takes one off.
        assert data.cutoff_len == config["cutoff_len"] - config["packing"], recipe
        assert training.optim.value == config["optim"] and tuning.finetuning_type == config["finetuning_type"]
        parsed += 1
    return _told("llamafactory", VERSION, parsed, _differing(DEFAULTS, _fields(*_TRAIN_ARGS), {}))


def check_swift() -> bool:
    """Return whether ms-swift's YAML reader and HfArgumentParser take every file and leave nothing over."""
    from swift.arguments import SftArguments
    from swift.cli.main import parse_yaml_args
    from swift.version import __version__
    from transformers import HfArgumentParser

    from tunesmith.trainers.swift import DEFAULTS

    parsed = 0
    for recipe, place in _kept("swift"):
        words = [str(place)]
        parse_yaml_args(words)
        made, rest = HfArgumentParser([SftArguments]).parse_known_args(words)
        assert not rest and made.model, recipe
        parsed += 1
    return _told("ms-swift", __version__, parsed, _differing(DEFAULTS, _fields(SftArguments), {}))


def check_torchtune() -> bool:
    """Return whether torchtune's config.validate() finds every component and its arguments."""
    from importlib.metadata import version

    from omegaconf import OmegaConf
    from torchtune import config

    from tunesmith.trainers.torchtune import components

    parsed = 0
    for _, place in _kept("torchtune"):
        config.validate(OmegaConf.load(place))
        parsed += 1
    for each in components():
        package, _, builder = each.builder.partition(".")
        for prefix in ("", "lora_"):
            config._utils._get_component_from_path(f"torchtune.models.{package}.{prefix}{builder}")
    return _told("torchtune", version("torchtune"), parsed, {})


def check_deepspeed() -> bool:
    """Return whether transformers fills in every ``auto`` and DeepSpeed's own types take the section."""
    import deepspeed
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
    from transformers import LlamaConfig, TrainingArguments
    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    from tunesmith.trainers.deepspeed import DEFAULTS

    parsed, own = 0, DeepSpeedZeroConfig()
    for recipe, place in _kept("deepspeed"):
        config = HfTrainerDeepSpeedConfig(json.loads(place.read_text(encoding="utf-8")))
        arguments = TrainingArguments(use_cpu=True, gradient_accumulation_steps=5)
        config.trainer_config_process(arguments)
        model = type("Model", (), {"config": LlamaConfig(hidden_size=64)})()
        config.trainer_config_finalize(arguments, model, 10)
        assert "auto" not in json.dumps(config.config), recipe
        DeepSpeedZeroConfig(**config.config["zero_optimization"])
        parsed += 1
    names = {name.rpartition(".")[2]: name for table in DEFAULTS.tables.values() for name in table}
    aliases = {(spec.alias or name): name for name, spec in DeepSpeedZeroConfig.model_fields.items()}
    found = {full: getattr(own, aliases[name]) for name, full in names.items() if name in aliases}
    return _told("deepspeed", deepspeed.__version__, parsed, _differing(DEFAULTS, found, {}))


CHECKS: Mapping[str, Callable[[], bool]] = {
    "axolotl": check_axolotl,
    "llamafactory": check_llamafactory,
    "swift": check_swift,
    "torchtune": check_torchtune,
    "deepspeed": check_deepspeed,
}


if __name__ == "__main__":
    sys.exit(main())
