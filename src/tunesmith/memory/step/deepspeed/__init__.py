"""DeepSpeed's ZeRO of stages 1, 2 and 3, with and without offload: what it takes, where and when."""

from __future__ import annotations

from tunesmith.memory.step.deepspeed.assumptions import assumptions
from tunesmith.memory.step.deepspeed.engine import Zero, zero_of
from tunesmith.memory.step.deepspeed.shards import whole_numel

__all__ = ["Zero", "assumptions", "whole_numel", "zero_of"]
