"""Two optimizer steps as a plain loop, transformers.Trainer and trl.SFTTrainer run them.

Each trainer's ``train`` yields the name of every moment; what its local variables hold at that moment is
what the real trainer's local variables hold, which is why some are kept and others deleted with care.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import peft
import torch
from accelerate.utils import convert_outputs_to_fp32
from torch import nn
from transformers import masking_utils
from trl.trainer.utils import add_fused_lm_head

from tunesmith.errors import UnsupportedError
from tunesmith.memory.loading import DTYPES
from tunesmith.memory.step.activations import activation_offloading
from tunesmith.memory.step.distribution import Distribution
from tunesmith.recipe import Recipe

STEPS: Final = 2
IGNORED: Final = -100

Batch = dict[str, Any]


def micro_batches(accumulation: int) -> Iterable[int]:
    """Return the numbers of the micro-batches of a step that are run, of *accumulation*.

    From the second on each does what the one before did, at the same addresses: of many, the first three and
    the last stand for all. Data is fetched for all of them.
    """
    return range(1, accumulation + 1) if accumulation <= 4 else (1, 2, 3, accumulation)


class Loop:
    """A plain PyTorch loop: autocast around the forward, the mean loss over accumulated batches."""

    optimizer: torch.optim.Optimizer

    def __init__(
        self, model: nn.Module, recipe: Recipe, device: torch.device, cards: Distribution | None = None
    ) -> None:
        self.model, self.recipe, self.device = model, recipe, device
        self.cards = cards or Distribution(recipe, device)
        self.trainable = [p for p in model.parameters() if p.requires_grad]
        self.scaler = torch.amp.GradScaler("cpu") if recipe.precision.autocast == "float16" else None
        self.forward: Any = model
        self.loss_arguments = _loss_arguments(model, recipe)
        self.outputs: Any = None

    def wrap(self) -> None:
        """Wrap the model as its distribution over the cards has it."""
        self.forward = self.cards.wrap(self.model)

    def train(self) -> Iterator[str]:
        """Yield the name of each moment of the steps."""
        recipe = self.recipe
        for step in range(1, STEPS + 1):
            for micro in micro_batches(recipe.gradient_accumulation_steps):
                tag = f"step{step}.{micro}" if recipe.gradient_accumulation_steps > 1 else f"step{step}"
                with self.cards.micro_batch(last=micro == recipe.gradient_accumulation_steps):
                    batch = self.batch()
                    loss = self.loss(batch)
                    yield f"{tag}.forward"
                    self.backward(loss)
                del loss
                yield f"{tag}.backward"
            if recipe.max_grad_norm:
                self.clip(recipe.max_grad_norm)
                yield f"step{step}.clip"
            self.step()
            yield f"step{step}.step"
            self.optimizer.zero_grad(set_to_none=True)
            del batch
            self.outputs = None
            yield f"step{step}.end"

    def batch(self) -> Batch:
        """Return one micro-batch, copied from the host as a data loader does."""
        recipe = self.recipe
        ids = torch.zeros((recipe.per_device_train_batch_size, recipe.sequence_length), dtype=torch.int64)
        batch = {"input_ids": ids.to(self.device), "labels": ids.to(self.device)}
        if recipe.trainer != "loop" if recipe.attention_mask is None else recipe.attention_mask:
            batch["attention_mask"] = torch.ones_like(ids).to(self.device)
        return batch

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the loss of one micro-batch, its graph attached."""
        with _autocast(self.recipe, self.device) if self.cards.autocasts else nullcontext():
            outputs = self.forward(**batch, **self.loss_arguments)
        if _keeps_outputs(self.recipe):
            self.outputs = outputs
        loss: torch.Tensor = outputs.loss / self.recipe.gradient_accumulation_steps
        return loss

    def backward(self, loss: torch.Tensor) -> None:
        """Run the backward pass of one micro-batch."""
        self.cards.backward(self.scaler.scale(loss) if self.scaler else loss)

    def clip(self, max_norm: float) -> torch.Tensor:
        """Clip all gradients together and return their norm."""
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        return self.cards.clip(self.trainable, max_norm)

    def step(self) -> None:
        """Step the optimizer, through the gradient scaler where there is one."""
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.cards.step(self.optimizer)


class Trainer(Loop):
    """transformers.Trainer: accelerate wraps the forward in autocast and copies outputs to float32.

    _inner_training_loop(), _run_epoch() and training_step() of transformers/trainer.py at v5.23.0; what
    data_loader.py of accelerate at v1.15.0 keeps alive.
    """

    def __init__(
        self, model: nn.Module, recipe: Recipe, device: torch.device, cards: Distribution | None = None
    ) -> None:
        super().__init__(model, recipe, device, cards)
        self.counts_items = _accepts_loss_arguments(model)
        self.context: AbstractContextManager[Any] = nullcontext()
        """What training_step() runs in."""

    def wrap(self) -> None:
        """Put the forward under autocast, unless the weights are cast as they are gathered."""
        casts = self.recipe.precision.autocast is not None and self.cards.autocasts

        def cast(forward: Any) -> Any:
            return convert_outputs_to_fp32(_autocast(self.recipe, self.device)(forward))

        self.forward = self.cards.wrap(self.model, cast if casts else None)

    def train(self) -> Iterator[str]:
        """Yield the name of each moment; all micro-batches of a step are fetched before it begins."""
        accumulation = self.recipe.gradient_accumulation_steps
        running_loss = torch.tensor(0.0).to(self.device)
        for step in range(1, STEPS + 1):
            batches = [self.batch() for _ in range(accumulation)]
            items = self.count(batches)
            for micro, batch in ((micro, batches[micro - 1]) for micro in micro_batches(accumulation)):
                if micro == 1:
                    yield f"step{step}.begin"
                tag = f"step{step}.{micro}" if accumulation > 1 else f"step{step}"
                last = micro == accumulation
                with self.cards.micro_batch(last=last), self.context, self.cards.part_of(batch):
                    loss = self.loss_of(batch, items)
                    yield f"{tag}.forward"
                    self.backward(
                        loss / 1
                    )  # Accelerator.backward() divides by its own accumulation steps, one
                step_loss = loss.detach()
                del loss
                if not (bool(torch.isnan(step_loss)) or bool(torch.isinf(step_loss))):
                    running_loss += step_loss
                yield f"{tag}.backward"
            grad_norm = None
            # Without a limit the norm is taken all the same, to be logged (_get_grad_norm()).
            grad_norm = self.clip(self.recipe.max_grad_norm or float("inf"))
            yield f"step{step}.clip"
            self.step()
            yield f"step{step}.step"
            self.model.zero_grad()
            yield f"step{step}.end"
            running_loss.mean().item()
            running_loss -= running_loss
            grad_norm.item()
        del batches, batch, items, grad_norm, step_loss
        yield "end"

    def count(self, batches: list[Batch]) -> torch.Tensor | None:
        """Return the number of supervised tokens in a step, where the model asks for it."""
        if not self.counts_items:
            return None
        return sum((batch["labels"][..., 1:].ne(IGNORED).sum() for batch in batches), start=0)

    def loss_of(self, batch: Batch, items: torch.Tensor | None) -> torch.Tensor:
        """Return what training_step() hands to backward: the loss, scaled for accumulation."""
        loss = self.compute_loss(batch, items)
        if items is None:
            loss = loss / self.recipe.gradient_accumulation_steps
        return loss

    def compute_loss(self, batch: Batch, items: torch.Tensor | None) -> torch.Tensor:
        """Return the summed loss over the number of items in the step, or the mean where it is unknown."""
        extra = {"num_items_in_batch": items} if items is not None else {}
        outputs = self.forward(**batch, **self.loss_arguments, **extra)
        loss: torch.Tensor = outputs["loss"]
        if items is not None:
            loss *= 1  # the number of processes
        return loss


class Sft(Trainer):
    """trl.SFTTrainer: a fused LM head that never makes the logits (trl/trainer/sft_trainer.py at v1.16.0)."""

    def __init__(
        self, model: nn.Module, recipe: Recipe, device: torch.device, cards: Distribution | None = None
    ) -> None:
        super().__init__(model, recipe, device, cards)
        add_fused_lm_head(_base(model), outputs=("log_probs", "entropy", "is_top1"))
        self.context = activation_offloading(model, recipe)
        config = _base(model).config.get_text_config()
        self.aux_coefficient: float = getattr(config, "router_aux_loss_coef", None) or 0.0
        self.aux = hasattr(config, "output_router_logits") and self.aux_coefficient != 0.0
        if hasattr(config, "router_aux_loss_coef"):
            config.output_router_logits = self.aux

    def batch(self) -> Batch:
        """Return one micro-batch; a packed one is a single row of several examples without a mask."""
        if not self.recipe.packing:
            return super().batch()
        rows, length = self.recipe.per_device_train_batch_size, self.recipe.sequence_length
        ids = torch.zeros((1, rows * length), dtype=torch.int64)
        starts = torch.arange(0, rows * length + 1, length, dtype=torch.int32)
        host = {
            "input_ids": ids,
            "labels": ids,
            "position_ids": torch.arange(length).repeat(1, rows),
            "cu_seq_lens_q": starts,
            "seq_idx": torch.zeros((1, rows * length), dtype=torch.int32),
        }
        batch: Batch = {key: value.to(self.device) for key, value in host.items()}
        return {
            **batch,
            "cu_seq_lens_k": starts.to(self.device),
            "max_length_q": length,
            "max_length_k": length,
        }

    def compute_loss(self, batch: Batch, items: torch.Tensor | None) -> torch.Tensor:
        """Return the summed loss over the number of items, as SFTTrainer.compute_loss() makes it."""
        inputs = {**batch, "use_cache": False, **({"output_router_logits": True} if self.aux else {})}
        with _known_to_be_packed() if self.recipe.packing else nullcontext():
            if self.recipe.loss == "standard":
                loss, outputs = self._loss_from_logits(inputs, items)
            else:
                outputs = self.forward(**inputs, fused_lm_head=True)
                count = outputs.label_mask.sum() if items is None else items
                loss = (-outputs.log_probs).sum() / count.clamp(min=1)
        if items is not None:
            loss = loss * 1  # the number of processes
        if self.aux and self.recipe.loss != "standard":
            steps = self.recipe.gradient_accumulation_steps if items is not None else 1
            loss = loss + self.aux_coefficient * outputs.aux_loss / steps
        self._measure(outputs, batch)
        return loss

    def _loss_from_logits(self, inputs: Batch, items: torch.Tensor | None) -> tuple[torch.Tensor, Any]:
        """Return the loss by the model's function, passed as compute_loss_func, and the outputs for metrics.

        The whole logits are made for the loss; a second forward without gradients serves the metrics.
        """
        model = _base(self.model)
        labels, rest = inputs["labels"], {k: v for k, v in inputs.items() if k != "labels"}
        loss = model.loss_function(
            logits=self.forward(**rest).logits,
            labels=labels,
            vocab_size=model.config.get_text_config().vocab_size,
            num_items_in_batch=items,
        )
        with torch.no_grad():
            outputs = self.forward(**inputs, fused_lm_head=True)
        return loss, outputs

    def _measure(self, outputs: Any, batch: Batch) -> None:
        """Read entropy, token accuracy and the number of tokens off the device."""
        valid = outputs.label_mask.sum().sum()
        entropy = outputs.entropy.detach().sum().sum()
        correct = outputs.is_top1.sum().sum()
        if bool(valid > 0):
            (entropy / valid).item()
            (correct / valid).item()
        if "attention_mask" in batch:
            batch["attention_mask"].sum().sum().item()


TRAINERS: Final[dict[str, type[Loop]]] = {"loop": Loop, "trainer": Trainer, "sft": Sft}


def _loss_arguments(model: nn.Module, recipe: Recipe) -> dict[str, bool]:
    """Return what the forward needs for the recipe's loss, after fusing the LM head where it is chunked.

    ``chunked`` is TRL's fused LM head in any trainer (model(..., fused_lm_head=True)); SFTTrainer always has
    it, and ``fused_linear`` names the same there. Elsewhere ``fused_linear`` means Liger's kernel.
    """
    if recipe.trainer == "sft":
        return {}
    if recipe.loss == "fused_linear":
        raise UnsupportedError(
            f"loss fused_linear with trainer {recipe.trainer}: Liger's kernel is a Triton program that also "
            "replaces norms, activations and rotary embeddings, and cannot be run without a card. Set loss: "
            "chunked (TRL's fused LM head), or trainer: sft, which always uses it."
        )
    if recipe.loss != "chunked":
        return {}
    add_fused_lm_head(_base(model))
    return {"fused_lm_head": True}


def _autocast(recipe: Recipe, device: torch.device) -> Any:
    if recipe.precision.autocast is None:
        return nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[recipe.precision.autocast])


def _keeps_outputs(recipe: Recipe) -> bool:
    """Return whether ``outputs = model(...)`` lives to the end of the step, logits and all.

    Of itself a bare loop keeps them: model, backward and step, with no mask and no clipping stated.
    """
    if recipe.keep_outputs is not None:
        return recipe.keep_outputs
    return recipe.trainer == "loop" and recipe.attention_mask is None and recipe.max_grad_norm is None


def _base(model: nn.Module) -> Any:
    return model.get_base_model() if isinstance(model, peft.PeftModel) else model


def _accepts_loss_arguments(model: nn.Module) -> bool:
    """Return Trainer.model_accepts_loss_kwargs: what the model says, or whether it takes any keyword."""
    base = _base(model)
    said = getattr(base, "accepts_loss_kwargs", None)
    if said is not None:
        return bool(said)
    parameters = inspect.signature(base.forward).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)


@contextmanager
def _known_to_be_packed() -> Iterator[None]:
    """Say that rows hold several examples, where transformers would read the position ids to learn it."""
    find = masking_utils.find_packed_sequence_indices

    def sequence_of_each_token(position_ids: torch.Tensor) -> torch.Tensor:
        before = position_ids[:, :1] - 1
        return (torch.diff(position_ids, prepend=before, dim=-1) != 1).cumsum(-1)

    masking_utils.find_packed_sequence_indices = sequence_of_each_token
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = find
