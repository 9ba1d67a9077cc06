"""Memory of the host that comes with a rented card."""

from __future__ import annotations

from tunesmith.hardware import GPUS, gpu
from tunesmith.hardware.hosts import HOSTS, UNKNOWN_MULTIPLE, host_bytes_per_card
from tunesmith.units import GIB


def test_every_host_is_of_a_catalogued_card_and_names_its_source() -> None:
    """Each row says which instance it is and where it was read."""
    assert set(HOSTS) <= set(GPUS)
    for host in HOSTS.values():
        assert "@" in host.source
        assert host.instance
        assert 8 * GIB <= host.host_bytes <= 1024 * GIB


def test_a_card_of_the_table_has_its_row() -> None:
    """An A100 on AWS comes with 144 GiB."""
    assert host_bytes_per_card(gpu("A100-80GB")) == 144 * GIB


def test_any_other_card_has_a_multiple_of_its_own_memory() -> None:
    """Where no instance was found, the host is taken to hold as much as the card."""
    card = gpu("RTX 2060")
    assert card.name not in HOSTS
    assert host_bytes_per_card(card) == UNKNOWN_MULTIPLE * card.advertised_bytes
