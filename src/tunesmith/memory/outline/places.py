"""A skyline at one batch, length and rank: the few instants that matter there, in bytes by role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tunesmith.memory.outline.forms import Where
from tunesmith.memory.outline.skyline import Counts, Skyline, layer_of

LASTING: Final = ("weights", "adapter weights", "quantization constants", "buffers")
"""Categories of what is there from loading to the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One instant in bytes by role."""

    phase: str
    """Phase of the run."""
    family: str
    """Its kind: see skyline.FAMILIES."""
    module: str
    """Module at work."""
    later: bool
    """Whether optimizer states exist: all but the first step."""
    lasting: int
    """Weights and what belongs to them."""
    gradients: int
    """Gradients."""
    states: int
    """Optimizer states of the traced optimizer."""
    rest: int
    """Everything else."""
    done: int
    """Of a pass that reduces layer by layer: gradients of layers that are through; not in ``gradients``."""
    layer: int | None
    """Number of the layer at work, in such a pass; None outside the layers."""
    reducing: int
    """Gradients of the layer that was through last; not in ``gradients``."""
    parts: Mapping[str, int]
    """All but the last two by category."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A skyline at one batch, length and rank."""

    built: Mapping[str, int]
    """What is alive when the run is built, by category."""
    lasting: int
    """The same in all."""
    gradients: int
    """All gradients: as many bytes as the parameters that learn."""
    states: int
    """All states of the traced optimizer."""
    inputs: int
    """One more micro-batch that is fetched before the step begins."""
    layer: int
    """Weights of one round of layers."""
    layer_parts: Mapping[str, int]
    """The same by category."""
    held: int
    """What the forward pass leaves to the backward pass, beside weights and states."""
    carried: int
    """The same without what the loss leaves."""
    head: int
    """The largest weight outside the layers."""
    largest: int
    """The largest gradient of one weight."""
    pieces: tuple[tuple[str, int, int], ...]
    """Weights and gradients one by one: category, bytes and how many there are."""
    start: Line
    """When the optimizer's second step begins."""
    lines: tuple[Line, ...]
    """The instants, those left out that another is above in every role."""
    step_bytes: int
    """What the traced optimizer's step adds at most to what is alive before its first: states and more."""


def place(skyline: Skyline, where: Where) -> Place:
    """Return the *skyline* at one batch, length and rank."""
    sizes = [column.form.at(where) for column in skyline.columns]

    def total(counts: Counts) -> dict[str, int]:
        parts: dict[str, int] = {}
        for number, count in counts:
            category = skyline.columns[number].category
            parts[category] = parts.get(category, 0) + count * sizes[number]
        return parts

    def bytes_of(counts: Counts) -> int:
        return sum(total(counts).values())

    lines = [
        _line(
            spot.phase,
            spot.family,
            spot.module,
            total(spot.counts),
            bytes_of(spot.done),
            bytes_of(spot.reducing),
        )
        for spot in skyline.spots
    ]
    start = _line("step2.step", "step", "", total(skyline.step_start))
    built, layer = total(skyline.built), total(skyline.layer)
    before = start.lasting + start.gradients + start.rest
    held = _line("step2.forward", "pass", "", total(skyline.held))
    return Place(
        built=built,
        lasting=_lasting(built),
        gradients=bytes_of(skyline.gradients),
        states=bytes_of(skyline.states),
        inputs=bytes_of(skyline.inputs),
        layer=_lasting(layer),
        layer_parts=layer,
        held=held.rest,
        carried=held.rest - held.parts.get("logits and loss", 0),
        head=bytes_of(skyline.head),
        largest=max((sizes[number] for number, _ in skyline.gradients), default=0),
        pieces=tuple(
            (column.category, sizes[number], count)
            for number, count in (*skyline.built, *skyline.gradients)
            for column in (skyline.columns[number],)
            if column.category in ("weights", "adapter weights", "gradients")
        ),
        start=start,
        lines=tuple(_not_below(lines)),
        step_bytes=max(
            (sum(line.parts.values()) - before for line in lines if line.family == "step"),
            default=start.states,
        ),
    )


def mixed(checked: Place, unchecked: Place, *, layers: int, rounds: int, every_n_layers: int) -> Place:
    """Return the place of a run that checkpoints every n-th layer only, from those of all and of none.

    Of the others all that their backward passes need is kept until then; what one layer keeps more follows
    from what the forward passes of both leave behind.
    """
    kept = layers - -(-layers // every_n_layers)
    more = max(0, unchecked.held - checked.held) / layers
    learning = "adapter weights" if checked.built.get("adapter weights") else "weights"
    inside = max(1, min(checked.gradients, rounds * checked.layer_parts.get(learning, 0)))
    outside = checked.gradients - inside
    lines = []
    for line in checked.lines:
        if line.family in ("pass", "accumulated", "sharded") and line.phase.startswith("step"):
            gradients = line.gradients if line.family == "pass" else line.done
            through = max(0, gradients - outside) / inside
            extra = int(more * kept * (1 - through))
            parts = {**line.parts, "activations": line.parts.get("activations", 0) + extra}
            lines.append(replace(line, rest=line.rest + extra, parts=parts))
        else:
            lines.append(line)
    return replace(checked, lines=tuple(lines))


def _line(
    phase: str, family: str, module: str, parts: dict[str, int], done: int = 0, reducing: int = 0
) -> Line:
    lasting, gradients = _lasting(parts), parts.get("gradients", 0)
    states = parts.get("optimizer states", 0)
    return Line(
        phase=phase,
        family=family,
        module=module,
        later=phase == "end" or (phase.startswith("step") and not phase.startswith("step1.")),
        lasting=lasting,
        gradients=gradients,
        states=states,
        rest=sum(parts.values()) - lasting - gradients - states,
        done=done,
        layer=layer_of(module),
        reducing=reducing,
        parts=parts,
    )


def _lasting(parts: Mapping[str, int]) -> int:
    return sum(parts.get(category, 0) for category in LASTING)


def _not_below(lines: Sequence[Line]) -> list[Line]:
    """Return the *lines* that no other of their family is above in every role."""
    kept: list[Line] = []
    for line in sorted(lines, key=lambda each: -sum(each.parts.values())):
        if not any(_above(other, line) for other in kept):
            kept.append(line)
    return kept


def _above(other: Line, line: Line) -> bool:
    return (
        other.family == line.family
        and (other.layer is None) is (line.layer is None)
        and (other.layer == 0) is (line.layer == 0)
        and other.later >= line.later
        and other.lasting >= line.lasting
        and other.gradients >= line.gradients
        and other.states >= line.states
        and other.rest >= line.rest
        and other.done >= line.done
        and other.reducing >= line.reducing
    )
