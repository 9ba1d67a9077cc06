"""Cards and clusters: what a GPU holds and how fast it is, each figure with its source.

``cards.csv`` is the catalogue, one card a line; ``datasheets.csv`` gives the citation of each vendor figure.
Memory is what PyTorch sees, ``torch.cuda.get_device_properties(0).total_memory``, which is less than the
marketed size and moves by some tens of MiB with the driver. Where no print of it was found the source says
"estimated from" another card. A quoted print is given word for word, so that it can be searched for.

    >>> gpu("nvidia rtx4090-24gb").name
    'RTX 4090'
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from tunesmith.errors import HardwareError
from tunesmith.units import GB, GIB, MIB

__all__ = ["GPUS", "Cluster", "Gpu", "cublas_workspace_bytes", "gpu"]

DTYPES: Final = ("fp32", "tf32", "fp16", "bf16", "fp8", "int8")
"""Keys of ``Gpu.peak_flops``: dense rates, of tensor cores with FP32 accumulation where there are any."""

CUBLAS_WORKSPACE_BYTES: Final = 8_519_680
"""``:4096:2:16:8``, 2 x 4096 KiB + 8 x 16 KiB: pytorch v2.10.0 aten/src/ATen/cuda/CublasHandlePool.cpp."""

CUBLAS_WORKSPACE_LARGE_BYTES: Final = 32 * MIB
"""What Hopper takes in the same file, and Blackwell later: https://github.com/pytorch/pytorch/pull/175344."""

CONTEXT_MEASURED: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "T4-16GB": (
            147_718_144,
            "measured: process minus reserved in 22 training runs on torch 2.10.0+cu128 and 2.14.0+cu130, "
            "the same in each (fitcheck scripts/measure.py)",
        ),
        "RTX 6000 Ada": (
            426 * MIB,
            "measured: first CUDA call on torch 2.10.0+cu130, nothing allocated: "
            "https://github.com/unslothai/unsloth-zoo/pull/1053",
        ),
    }
)
"""CUDA context and loaded kernels, where somebody counted them with a recent PyTorch."""

_PCIE_GIGATRANSFERS: Final = {3: 8, 4: 16, 5: 32}
_NOISE: Final = re.compile(
    r"nvidia|geforce|quadro|tesla|instinct|radeon|apple|amd|\(r\)|\(tm\)|gpu|[^a-z0-9]"
)


NCCL_CONNECTION_BYTES: Final = 10 * MIB
"""Buffers of one connection: 4 MiB for Simple, 4.7 for LL128 and 0.5 for LL, in steps of 2 MiB.

10,485,760 bytes a connection were seen on 8 H100: https://github.com/NVIDIA/nccl/issues/1685.
"""
NCCL_CONNECTIONS: Final = 2
"""Connections of a channel: a ring and a tree (src/graph/connect.cc of https://github.com/NVIDIA/nccl)."""
NCCL_CHANNELS: Final = (2, 24)
"""Channels of a communicator over PCIe and over NVLink, as NCCL_DEBUG=INFO prints for 8 cards.

With 24 the issue above is met: 1.06 GB outside PyTorch on an H100 before the first all-to-all, of which half
is the CUDA context.
"""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One graphics card. Figures are per card, in bytes and in operations a second."""

    name: str
    """How Tunesmith writes it, e.g. ``A100-80GB`` or ``RTX 4090``."""
    vendor: str
    """``NVIDIA``, ``AMD`` or ``Apple``."""
    architecture: str
    """The vendor's name of the generation, e.g. ``Ampere``."""
    compute_capability: tuple[int, int] | None
    """CUDA's ``(major, minor)``, which decides the attention kernels; None where CUDA does not run."""
    multiprocessors: int
    """Streaming multiprocessors; compute units on AMD, GPU cores on Apple."""
    advertised_bytes: int
    """The marketed size, its GB read as GiB, as vendors of graphics memory mean it."""
    memory_bytes: int
    """What PyTorch sees of it: ``torch.cuda.get_device_properties(0).total_memory``."""
    memory_source: str
    """Where ``memory_bytes`` was read, or "estimated from" which card."""
    bandwidth_bytes_per_second: int
    """Peak of the card's own memory."""
    peak_flops: Mapping[str, int] = field(hash=False)
    """Dense peaks a second by the names in DTYPES; a dtype without a published rate is absent."""
    datasheet: str
    """The source of bandwidth and peaks."""
    pcie_bytes_per_second: int
    """To the host, in one direction; 0 where memory is shared with it."""
    nvlink_bytes_per_second: int
    """To other cards in one direction, half of what datasheets print; 0 without such a link."""
    interconnect: str
    """The links in words."""
    interconnect_source: str
    """The source of both link rates."""
    context_bytes: int | None
    """CUDA context and loaded kernels, outside the caching allocator; None where CUDA does not run."""
    context_source: str
    """Who measured ``context_bytes``, or how it was estimated."""
    informational: bool
    """True where answers of PyTorch's CUDA allocator do not apply: AMD and Apple."""
    aliases: tuple[str, ...] = ()
    """Other names that ``gpu`` accepts."""

    def nccl_bytes(self, cards: int) -> int:
        """Return an estimate of what NCCL takes outside the caching allocator among *cards*."""
        if cards == 1 or self.compute_capability is None:
            return 0
        channels = NCCL_CHANNELS[bool(self.nvlink_bytes_per_second)]
        return channels * NCCL_CONNECTIONS * NCCL_CONNECTION_BYTES

    def cublas_workspace_bytes(self, torch_version: str) -> int:
        """Return the size of one cuBLAS workspace on this card; 0 where cuBLAS does not run."""
        if self.compute_capability is None:
            return 0
        return cublas_workspace_bytes(self.compute_capability, torch_version)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Equal cards in equal nodes."""

    gpu: Gpu
    """The card."""
    gpus: int = 1
    """Cards in each node."""
    nodes: int = 1
    """Nodes."""

    def __post_init__(self) -> None:
        for name in ("gpus", "nodes"):
            if getattr(self, name) < 1:
                raise HardwareError(f"{name} must be at least 1 (got {getattr(self, name)})")

    @property
    def cards(self) -> int:
        """Return how many cards there are in all: the world size."""
        return self.gpus * self.nodes


def cublas_workspace_bytes(compute_capability: tuple[int, int], torch_version: str) -> int:
    """Return what cuBLAS takes once per handle and stream, by ``CUBLAS_WORKSPACE_CONFIG``'s default.

    Source: parseChosenWorkspaceSize in pytorch aten/src/ATen/cuda/CublasHandlePool.cpp. Blackwell was raised
    to Hopper's size on 2026-02-19 (https://github.com/pytorch/pytorch/pull/175344), taken here as torch 2.12,
    and capability 11 in July 2026 (https://github.com/pytorch/pytorch/pull/189312), taken as torch 2.14.
    """
    since = {9: (2, 0), 10: (2, 12), 12: (2, 12), 11: (2, 14)}.get(compute_capability[0])
    match = re.match(r"(\d+)\.(\d+)", torch_version)
    if match is None:
        raise HardwareError(f"torch_version must look like 2.13.0 (got {torch_version!r})")
    release = (int(match[1]), int(match[2]))
    return CUBLAS_WORKSPACE_BYTES if since is None or release < since else CUBLAS_WORKSPACE_LARGE_BYTES


def gpu(name: str) -> Gpu:
    """Return the card that *name* means: case, spaces, dashes and the vendor's words do not matter.

    A name without a size means the usual one (``A100`` is the 80 GB SXM card). Raises HardwareError with the
    nearest names otherwise.
    """
    found = _BY_KEY.get(_key(name))
    if found is not None:
        return found
    near = difflib.get_close_matches(_key(name), list(_BY_KEY), n=8, cutoff=0.6)
    suggestions = list(dict.fromkeys(_BY_KEY[key].name for key in near))[:3]
    hint = (
        f"did you mean {' or '.join(suggestions)}?"
        if suggestions
        else "see tunesmith.hardware.GPUS for all names"
    )
    raise HardwareError(f"unknown GPU {name!r}: expected one of {len(GPUS)} catalogued cards; {hint}")


def _key(name: str) -> str:
    """Return *name* in lower case without vendor words and punctuation."""
    return _NOISE.sub("", name.lower())


def _context(name: str, multiprocessors: int, capability: tuple[int, int] | None) -> tuple[int | None, str]:
    """Return the context's size and its source, from a line through the two measured cards."""
    if capability is None:
        return None, "not applicable: no CUDA context"
    if name in CONTEXT_MEASURED:
        return CONTEXT_MEASURED[name]
    (low, _), (high, _) = CONTEXT_MEASURED["T4-16GB"], CONTEXT_MEASURED["RTX 6000 Ada"]
    estimate = low + (high - low) * (multiprocessors - 40) // (142 - 40)
    return estimate, (
        "estimated from T4-16GB and RTX 6000 Ada: a straight line over multiprocessors "
        "through the two measured cards (40 and 142)"
    )


def _links(row: Mapping[str, str]) -> tuple[int, int, str]:
    """Return PCIe and NVLink rates in one direction, and the links in words."""
    parts: list[str] = []
    pcie = 0
    if row["pcie"]:
        generation, lanes = row["pcie"].split(" x")
        # 128b/130b coding, PCI Express Base Specification 3.0 and later.
        pcie = _PCIE_GIGATRANSFERS[int(generation)] * int(lanes) * GB * 128 // 130 // 8
        parts.append(f"PCIe {generation}.0 x{lanes}")
    nvlink = round(float(row["nvlink_gb_per_second"]) * GB) // 2
    if nvlink:
        fabric = "NVLink" if row["vendor"] == "NVIDIA" else ""
        parts.append(" ".join(filter(None, (fabric, row["interconnect_note"]))))
    elif row["interconnect_note"]:
        parts.append(row["interconnect_note"])
    return pcie, nvlink, " and ".join(parts)


def _card(row: Mapping[str, str], datasheets: Mapping[str, str]) -> Gpu:
    """Return the card on one line of cards.csv."""
    major, _, minor = row["compute_capability"].partition(".")
    capability = (int(major), int(minor)) if major else None
    multiprocessors = int(row["multiprocessors"])
    context_bytes, context_source = _context(row["name"], multiprocessors, capability)
    pcie, nvlink, interconnect = _links(row)
    datasheet = datasheets[row["datasheet"]]
    return Gpu(
        name=row["name"],
        vendor=row["vendor"],
        architecture=row["architecture"],
        compute_capability=capability,
        multiprocessors=multiprocessors,
        advertised_bytes=int(row["advertised_gib"]) * GIB,
        memory_bytes=int(row["memory_bytes"]),
        memory_source=row["memory_source"],
        bandwidth_bytes_per_second=round(float(row["bandwidth_gb_per_second"]) * GB),
        peak_flops=MappingProxyType({d: round(float(row[d]) * 10**12) for d in DTYPES if row[d]}),
        datasheet=datasheet,
        pcie_bytes_per_second=pcie,
        nvlink_bytes_per_second=nvlink,
        interconnect=interconnect,
        interconnect_source=f"{datasheet}; PCIe from the PCI Express Base Specification"
        if pcie
        else datasheet,
        context_bytes=context_bytes,
        context_source=context_source,
        informational=row["informational"] == "1",
        aliases=tuple(filter(None, row["aliases"].split("|"))),
    )


def _catalogue() -> dict[str, Gpu]:
    """Return every card of cards.csv by name."""
    folder = files("tunesmith.hardware")
    with (folder / "datasheets.csv").open(encoding="utf-8") as lines:
        datasheets = {row["key"]: row["citation"] for row in csv.DictReader(lines)}
    with (folder / "cards.csv").open(encoding="utf-8") as lines:
        return {row["name"]: _card(row, datasheets) for row in csv.DictReader(lines)}


def _index(cards: Mapping[str, Gpu]) -> dict[str, Gpu]:
    """Return the cards by spelling: whole names and aliases first, then without size, then without series."""
    keys: dict[str, Gpu] = {}
    for card in cards.values():
        for name in (card.name, *card.aliases):
            keys.setdefault(_key(name), card)
    for card in cards.values():
        size = f"{card.advertised_bytes // GIB}gb"
        bare = _key(re.sub(r"-\d+GB", "", card.name))
        for key in (bare + size, bare):
            keys.setdefault(key, card)
    for key, card in list(keys.items()):
        keys.setdefault(re.sub(r"^(rtx|gtx|rx)(?=a?\d)", "", key), card)
    return keys


GPUS: Final[Mapping[str, Gpu]] = MappingProxyType(_catalogue())
"""Every card by its canonical name: consumer, workstation, data centre, then AMD and Apple."""

_BY_KEY: Final = _index(GPUS)
