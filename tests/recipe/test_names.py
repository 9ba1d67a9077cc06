"""Names copied from upstream are compared with the installed libraries."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from tunesmith.recipe import names


def members(package: str, path: str, enum: str) -> dict[str, str]:
    """Return an enum's members as its source says them, because importing transformers takes seconds."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    tree = ast.parse((Path(spec.origin).parent / path).read_text(encoding="utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == enum).body
    return {
        node.targets[0].id: node.value.value
        for node in body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def test_optimizers_are_those_of_transformers():
    """Every value of OptimizerNames is accepted, in its order."""
    assert tuple(members("transformers", "training_args.py", "OptimizerNames").values()) == names.OPTIMIZERS


def test_optimizer_aliases_are_member_names_of_transformers():
    """A member whose name is not its value, such as LION, is understood by that name too."""
    upstream = members("transformers", "training_args.py", "OptimizerNames")
    aliases = {
        name.lower(): value for name, value in upstream.items() if name.lower() not in upstream.values()
    }
    assert aliases == dict(names.OPTIMIZER_ALIASES)


def test_schedulers_are_those_of_transformers():
    """Every value of SchedulerType is accepted, in its order."""
    assert tuple(members("transformers", "trainer_utils.py", "SchedulerType").values()) == names.SCHEDULERS


def test_adapter_types_are_those_of_peft():
    """Every member of PeftType is accepted, in its order."""
    assert tuple(members("peft", "utils/peft_types.py", "PeftType").values()) == names.PEFT_TYPES


def test_attention_names_are_known_to_transformers():
    """Every attention name but eager, which each model brings itself, is registered upstream."""
    spec = find_spec("transformers")
    if spec is None or spec.origin is None:
        pytest.skip("transformers is not installed")
    source = (Path(spec.origin).parent / "modeling_utils.py").read_text(encoding="utf-8")
    registry = source[source.index("_global_mapping = {") :]
    registry = registry[: registry.index("}")]
    assert [name for name in names.ATTENTIONS if f'"{name}":' not in registry] == ["eager"]
