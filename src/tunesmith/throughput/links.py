"""What the links between cards carry: inside a node, between nodes, and to the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tunesmith.hardware import Cluster, Gpu
from tunesmith.units import GB

NVLINK_SHARE: Final = 0.8
"""Share of NVLink's rate that NCCL's rings reach.

All-reduce on 8 H100 has a bus bandwidth of about 360 to 370 GB/s of 450 in NCCL 2.19 and later, and on 8
A100 of about 230 to 240 of 300: https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md
explains the measure.
"""

PCIE_SHARE: Final = 0.8
"""Share of PCIe's rate that one card's copies from or to locked memory reach: headers of 256-byte payloads
and flow control take the rest."""

PEER_SHARE: Final = 0.5
"""Share of PCIe's rate that a ring over PCIe reaches: every card sends and receives through the host's
root."""

FABRIC_BYTES_PER_SECOND: Final = {"Hopper": 50 * GB, "Blackwell": 50 * GB}
"""Network of a card whose node has one adapter a card, where it is faster than 25 GB/s.

400 Gb/s a card, NVIDIA DGX H100 and B200; the generation before has 200 Gb/s (DGX A100).
"""

SLOW_FABRIC_BYTES_PER_SECOND: Final = 25 * GB
"""200 Gb/s a card: NVIDIA DGX A100 User Guide."""

ETHERNET_BYTES_PER_SECOND: Final = 25 * GB // 8
"""25 Gb/s a node, what nodes without NVLink are taken to have; the cards share it."""

NETWORK_SHARE: Final = 0.8
"""Share of the network's rate that collectives over nodes reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Bytes that one card sends in a second."""

    inside: float
    """To the cards of its node."""
    between: float
    """To other nodes."""
    host: float
    """To or from the host's memory."""


def links(cluster: Cluster) -> Links:
    """Return what one card of *cluster* reaches over each link."""
    card = cluster.gpu
    pcie = card.pcie_bytes_per_second or card.bandwidth_bytes_per_second
    joined = _joined(card, cluster.gpus)
    inside = card.nvlink_bytes_per_second * NVLINK_SHARE if joined else pcie * PEER_SHARE
    if _joined(card, 8):
        between = FABRIC_BYTES_PER_SECOND.get(card.architecture, SLOW_FABRIC_BYTES_PER_SECOND) * NETWORK_SHARE
    else:
        between = ETHERNET_BYTES_PER_SECOND * NETWORK_SHARE / cluster.gpus
    return Links(inside=inside, between=min(inside, between), host=pcie * PCIE_SHARE)


def _joined(card: Gpu, gpus: int) -> bool:
    """Return whether so many cards of a node are joined by NVLink; a bridge joins two."""
    return bool(card.nvlink_bytes_per_second) and (gpus <= 2 or "bridge" not in card.interconnect)
