"""Values in, canonical values out: fill what was left out, with reasons, and gather every problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from tunesmith.errors import RecipeError
from tunesmith.recipe.checks import (
    ADAPTED,
    adapter_conflicts,
    freeze_conflicts,
    method_conflicts,
    precision_conflicts,
    quantization_conflicts,
    sharding_conflicts,
)
from tunesmith.recipe.kinds import INVALID, Problem, show, unknown_key
from tunesmith.recipe.sections import MISSING

LORA_DEFAULTS = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
"""What a LoRA leaves unsaid. The QLoRA paper (arXiv:2305.14314, section 4) adapts all linear layers."""
SHARDING_ALIASES = {
    "fsdp_full": ("fsdp", None),
    "fsdp_full + cpu offload": ("fsdp", {"optimizer": "cpu", "parameters": "cpu"}),
}
"""Names that published FSDP measurements use, and the keys they stand for (AnswerDotAI/fsdp_qlora, benchmarks)."""
OPTIONS_HINT = "Further arguments of PEFT's config class go under adapter.options."


def settle(cls: type, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem], list[str]]:
    """Return *given* as canonical field values, every problem, and the reasons for what was filled in."""
    problems: list[Problem] = []
    given, reasons = _filled(given)
    values = _read(cls, given, "", problems)
    if values.get("max_grad_norm") == 0:
        values["max_grad_norm"] = None
    bad = {problem.key.split(".")[0].split("[")[0] for problem in problems}
    problems += [p for p in _conflicts(values, bad) if p.key.split(".")[0] not in bad]
    return values, problems, reasons


def refuse(
    problems: Iterable[Problem], lines: Mapping[str, int] | None = None, source: str = "recipe"
) -> RecipeError:
    """Return the error that lists every problem, one a line."""
    known = lines or {}
    listed = [problem.text(_line(problem.key, known)) for problem in problems]
    count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
    return RecipeError(f"{source} has {count}:\n" + "\n".join(f"  {text}" for text in listed))


def _line(key: str, lines: Mapping[str, int]) -> int | None:
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return lines.get(key)


def _filled(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return *given* with the sections its method needs, and why."""
    out, reasons = dict(given), []
    method = out.get("method") or "lora"
    method = method.strip().lower() if isinstance(method, str) else ""
    if method in ADAPTED and out.get("adapter") is None:
        out["adapter"] = {}
        reasons.append(f"adapter: method {method} needs one and none was given, so LoRA with its defaults")
    if method == "qlora" and out.get("quantization") is None:
        out["quantization"] = {}
        reasons.append(
            "quantization: method qlora needs one and none was given, so 4-bit nf4 with double quantisation"
        )
    sharding = out.get("sharding")
    if isinstance(sharding, str) and sharding in SHARDING_ALIASES:
        out["sharding"], offload = SHARDING_ALIASES[sharding]
        if offload is not None and out.get("offload") is None:
            out["offload"] = offload
        reasons.append(f"sharding: {sharding!r} is fsdp" + (" with offload to cpu" if offload else ""))
    if isinstance(out.get("adapter"), Mapping):
        out["adapter"] = _filled_adapter(out["adapter"])
    if isinstance(out.get("quantization"), Mapping):
        out["quantization"] = _filled_quantization(out["quantization"])
    return out, reasons


def _filled_adapter(adapter: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(adapter)
    if str(out.get("peft_type", "LORA")).strip().upper() == "LORA":
        out |= {key: value for key, value in LORA_DEFAULTS.items() if out.get(key) is None}
    return out


def _filled_quantization(quantization: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(quantization)
    if out.get("quant_type") == "int8":
        out.setdefault("bits", 8)
    if out.get("bits") == 8:
        out.setdefault("quant_type", "int8")
        out.setdefault("double_quant", False)
    return out


def _read(cls: type, given: Mapping[str, Any], parent: str, problems: list[Problem]) -> dict[str, Any]:
    """Return every field of *cls*: read from *given*, or its default where absent or refused."""
    specs = {spec.name: spec for spec in fields(cls) if spec.metadata}
    hint = OPTIONS_HINT if parent == "adapter" else ""
    problems += [unknown_key(name, specs, parent, hint) for name in given if name not in specs]
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        key = f"{parent}.{name}" if parent else name
        default = spec.metadata["default"]
        if name not in given:
            if default is MISSING:
                expected = spec.metadata["kind"].expected
                problems.append(Problem(key, "nothing", expected, f"Add {key}."))
            values[name] = default
        elif "section" in spec.metadata:
            values[name] = _read_section(spec.metadata["section"], given[name], key, default, problems)
        else:
            value = spec.metadata["kind"].read(given[name], key, problems)
            values[name] = default if value is INVALID else value
    return values


def _read_section(cls: type, given: object, key: str, default: object, problems: list[Problem]) -> object:
    if given is None:
        return default
    if not isinstance(given, Mapping):
        problems.append(
            Problem(key, show(given), "a mapping", f"Write {key} as a mapping of keys to values.")
        )
        return default
    return cls(**_read(cls, given, key, problems))


def _conflicts(values: Mapping[str, Any], bad: set[str]) -> Iterator[Problem]:
    """Yield what does not go together, leaving out what depends on a value that was refused."""
    method, adapter, quantization = values["method"], values["adapter"], values["quantization"]
    freeze, sharding = values["freeze"], values["sharding"]
    if "method" not in bad:
        yield from method_conflicts(method, adapter, quantization, freeze if "freeze" not in bad else None)
        yield from precision_conflicts(method, values["precision"])
    yield from freeze_conflicts(freeze)
    yield from quantization_conflicts(quantization)
    yield from adapter_conflicts(adapter)
    if "sharding" not in bad:
        yield from sharding_conflicts(sharding, values["offload"])
