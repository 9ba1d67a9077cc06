"""What the storages are that a run holds: weights, gradients, optimizer states, what is gathered and sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp._fully_shard import _fsdp_param_group
from torch.nn.parallel import DistributedDataParallel

from tunesmith.memory import step
from tunesmith.memory.recorder import Recorder


def communication(recorder: Recorder) -> list[tuple[Any, str, Any]]:
    """Return (owner, attribute, replacement): FSDP2's functions, which tell *recorder* what they make."""
    gather, unpack = _fsdp_param_group.foreach_all_gather, _fsdp_param_group.foreach_all_gather_copy_out
    reduce, resize = _fsdp_param_group.foreach_reduce, torch.UntypedStorage.resize_

    build, rebuild = DistributedDataParallel._ddp_init_helper, DistributedDataParallel._pre_forward

    def reduce_gradients(params: Any, gradients: list[torch.Tensor], *args: Any) -> Any:
        recorder.label(gradients, "gradients")
        with recorder.category("communication buffers"):
            return reduce(params, gradients, *args)

    def resize_storage(storage: torch.UntypedStorage, size: int) -> Any:
        result = resize(storage, size)
        recorder.resized(storage)
        return result

    return [
        (_fsdp_param_group, "foreach_all_gather", _within(recorder, "communication buffers", gather)),
        (
            _fsdp_param_group,
            "foreach_all_gather_copy_out",
            _within(recorder, "gathered parameters", unpack),
        ),
        (_fsdp_param_group, "foreach_reduce", reduce_gradients),
        (DistributedDataParallel, "_ddp_init_helper", _within(recorder, "communication buffers", build)),
        (DistributedDataParallel, "_pre_forward", _within(recorder, "communication buffers", rebuild)),
        (torch.UntypedStorage, "resize_", resize_storage),
    ]


def _within(recorder: Recorder, category: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def labelled(*args: Any, **kwargs: Any) -> Any:
        with recorder.category(category):
            return function(*args, **kwargs)

    return labelled


class Labels:
    """Tells the recorder what the storages are that a run holds: weights, states, gradients."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._hooked = False

    def of(self, moment: step.Run) -> None:
        """Label what is alive at *moment*."""
        if moment.moment in ("load", "prepare_kbit", "adapters", "shard"):
            self._weights(moment.model)
        if moment.optimizer is None:
            return
        if not self._hooked and not moment.labels_gradients:
            self._hooked = True
            self._gradients(moment.model)
        if moment.moment.endswith(".step"):
            self._recorder.label(tensors_in(list(moment.optimizer.state.values())), "optimizer states")

    def _weights(self, model: nn.Module) -> None:
        for parameter in model.parameters():
            adapter = parameter.requires_grad and hasattr(model, "peft_config")
            self._recorder.label([parameter], "adapter weights" if adapter else "weights")
            scales = getattr(parameter, "SCB", None)
            if isinstance(scales, torch.Tensor):
                self._recorder.label([scales], "quantization constants")
        for module in model.modules():  # sharded weights have lost theirs, the layers keep them
            state = getattr(getattr(module, "weight", None), "quant_state", None) or getattr(
                module, "quant_state", None
            )
            if state is not None:
                self._recorder.label(tensors_in(vars(state)), "quantization constants")
                if state.state2 is not None:
                    self._recorder.label(tensors_in(vars(state.state2)), "quantization constants")
        self._recorder.label(model.buffers(), "buffers")

    def _gradients(self, model: nn.Module) -> None:
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._gradient_born)

    def _gradient_born(self, parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        self._recorder.label([parameter.grad], "gradients")


def tensors_in(tree: object) -> list[torch.Tensor]:
    """Return the tensors in nested mappings and sequences."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [tensor for value in tree.values() for tensor in tensors_in(value)]
    if isinstance(tree, (list, tuple)):
        return [tensor for value in tree for tensor in tensors_in(value)]
    return []
