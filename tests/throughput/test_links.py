"""What links carry: NVLink where cards are joined, PCIe where not, networks between nodes."""

from __future__ import annotations

import pytest

from tunesmith.hardware import GPUS, Cluster, gpu
from tunesmith.throughput.links import links


def test_nvlink_is_faster_than_pcie_and_pcie_than_ethernet() -> None:
    """Eight A100 talk over NVLink, eight RTX 4090 over PCIe, nodes of the latter over Ethernet."""
    server, board = (links(Cluster(gpu=gpu(name), gpus=8, nodes=2)) for name in ("A100", "RTX 4090"))
    assert server.inside > 10 * board.inside
    assert server.inside > server.between > board.between
    assert board.inside > board.between


def test_a_bridge_joins_two_cards_only() -> None:
    """Two RTX 3090 have NVLink, four share PCIe."""
    two, four = (links(Cluster(gpu=gpu("RTX 3090"), gpus=count)) for count in (2, 4))
    assert two.inside > 2 * four.inside


def test_hopper_has_the_faster_network() -> None:
    """400 Gb/s a card, twice what nodes of A100 have."""
    old, new = (links(Cluster(gpu=gpu(name), gpus=8, nodes=2)) for name in ("A100", "H100"))
    assert new.between == pytest.approx(2 * old.between)


@pytest.mark.parametrize("name", sorted(GPUS))
def test_every_card_has_links(name: str) -> None:
    """No rate is zero, whatever the card, and no network is faster than the node inside."""
    for gpus, nodes in ((1, 1), (2, 1), (8, 4)):
        reach = links(Cluster(gpu=GPUS[name], gpus=gpus, nodes=nodes))
        assert reach.inside >= reach.between > 0 < reach.host
