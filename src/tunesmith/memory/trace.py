"""A Timeline from a recipe: the step, run on a device without memory, under the recorder."""

from __future__ import annotations

import torch
from torch import nn

from tunesmith.architecture import Architecture
from tunesmith.hardware import Gpu
from tunesmith.memory import loading, step
from tunesmith.memory.meta import cuda_behaviour, run_on_meta
from tunesmith.memory.recorder import Recorder
from tunesmith.memory.scratch import Scratch
from tunesmith.memory.timeline import Timeline
from tunesmith.recipe import Recipe


def trace(architecture: Architecture, recipe: Recipe, gpu: Gpu) -> Timeline:
    """Return the Timeline of two optimizer steps of *recipe* on one *gpu*."""
    model = loading.build(architecture, recipe)
    head = model.get_output_embeddings()
    device = torch.device("meta")
    recorder = Recorder(device, run=run_on_meta, scratch=Scratch(gpu.compute_capability), workspace_bytes=gpu.cublas_workspace_bytes(torch.__version__))
    labels = Labels(recorder)
    with cuda_behaviour(gpu.compute_capability), recorder:
        recorder.name_modules(model, head=head)
        for moment in step.run(model, recipe, device):
            recorder.end_phase(moment.moment)
            if moment.model is not model or moment.moment == "load":
                recorder.name_modules(moment.model, head=head)
            labels.of(moment)
    return recorder.timeline()


class Labels:
    """Tells the recorder what the storages are that a run holds: weights, states, gradients."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._base: set[str] = set()
        self._hooked = False

    def of(self, moment: step.Run) -> None:
        """Label what is alive at *moment*."""
        if moment.moment in ("load", "prepare_kbit", "adapters"):
            self._weights(moment.model)
        if moment.optimizer is not None and not self._hooked:
            self._gradients(moment.model)
        if moment.moment.endswith(".step"):
            assert moment.optimizer is not None
            self.recorder.label(_tensors(moment.optimizer.state), "optimizer states")

    def _weights(self, model: nn.Module) -> None:
        for parameter in model.parameters():
            adapter = parameter.requires_grad and hasattr(model, "peft_config")
            self.recorder.label([parameter], "adapter weights" if adapter else "weights")
            state = getattr(parameter, "quant_state", None)
            if state is not None:
                self.recorder.label(_tensors(vars(state)), "quantization constants")
                if state.state2 is not None:
                    self.recorder.label(_tensors(vars(state.state2)), "quantization constants")
        self.recorder.label(model.buffers(), "buffers")

    def _gradients(self, model: nn.Module) -> None:
        self._hooked = True
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(
                    lambda p: self.recorder.label([p.grad], "gradients")
                )


def _tensors(tree: object) -> list[torch.Tensor]:
    """Return the tensors in nested mappings and sequences."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [tensor for value in tree.values() for tensor in _tensors(value)]
    if isinstance(tree, (list, tuple)):
        return [tensor for value in tree for tensor in _tensors(value)]
    return []
