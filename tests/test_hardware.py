"""The catalogue of cards: complete, sourced, and found under every usual spelling."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import HardwareError
from tunesmith.hardware import CONTEXT_MEASURED, GPUS, Cluster, Gpu, cublas_workspace_bytes, gpu
from tunesmith.units import GIB, MIB

CARDS = list(GPUS.values())
CUDA = [card for card in CARDS if not card.informational]


def test_the_catalogue_is_broad() -> None:
    """At least 60 CUDA cards, and AMD and Apple for information only."""
    assert len(CUDA) >= 60
    assert {card.vendor for card in CUDA} == {"NVIDIA"}
    assert {card.vendor for card in CARDS if card.informational} == {"AMD", "Apple"}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_figure_has_a_source(card: Gpu) -> None:
    """A memory source quotes a print or names the card it was estimated from; the rest cite a document."""
    estimated = re.match(r"estimated from ([^:]+): ", card.memory_source)
    if estimated is None:
        assert re.search(r"\d", card.memory_source)
    else:
        assert estimated[1] == "RTX 3050 6GB Laptop" or not GPUS[estimated[1]].memory_source.startswith(
            "estimated"
        )
    for source in (card.datasheet, card.interconnect_source):
        assert re.search(r"https://|github\.com/|WP-", source)
    assert card.context_source.startswith(("measured: ", "estimated from ", "not applicable"))
    assert card.interconnect


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_figures_are_whole_and_plausible(card: Gpu) -> None:
    """Memory is 90 to 100 % of the marketed size (shared memory: 75 %), and rates fall in wide bounds."""
    share = card.memory_bytes / card.advertised_bytes
    assert share == 0.75 if card.vendor == "Apple" else 0.9 <= share <= 1.0
    assert 100e9 <= card.bandwidth_bytes_per_second <= 10e12
    for count in (card.memory_bytes, card.bandwidth_bytes_per_second, *card.peak_flops.values()):
        assert type(count) is int
    assert bool(card.pcie_bytes_per_second) == (card.vendor != "Apple")
    assert (card.compute_capability is None) == (card.context_bytes is None) == card.informational


@pytest.mark.parametrize("card", CUDA, ids=lambda card: card.name)
def test_peaks_follow_the_architecture(card: Gpu) -> None:
    """bfloat16 and TF32 exist from Ampere on, FP8 from Ada on; bfloat16 is as fast as float16."""
    major_minor = card.compute_capability
    assert major_minor is not None
    assert ("bf16" in card.peak_flops) == ("tf32" in card.peak_flops) == (major_minor >= (8, 0))
    assert ("fp8" in card.peak_flops) == (major_minor >= (8, 9))
    if "bf16" in card.peak_flops:
        peaks = card.peak_flops
        assert peaks["bf16"] == peaks["fp16"] == pytest.approx(2 * peaks["tf32"], rel=0.02)
    assert min(card.peak_flops.values()) == card.peak_flops["fp32"]


@pytest.mark.parametrize(
    ("told", "dtype", "teraflops"),
    [
        ("RTX 3090", "bf16", 71),
        ("RTX 4090", "bf16", 165.2),
        ("RTX 4090", "fp8", 330.3),
        ("RTX 5090", "bf16", 209.5),
        ("RTX A6000", "bf16", 154.8),
        ("RTX 6000 Ada", "bf16", 364.2),
        ("TITAN RTX", "fp16", 130.5),
        ("A100", "bf16", 312),
        ("H100", "bf16", 989.4),
        ("B200", "bf16", 2250),
    ],
)
def test_peaks_agree_with_the_whitepapers(told: str, dtype: str, teraflops: float) -> None:
    """The rates computed from cores and clocks are those that the whitepapers print."""
    assert gpu(told).peak_flops[dtype] == pytest.approx(teraflops * 1e12, rel=0.003)


@pytest.mark.parametrize(
    ("name", "bytes_told"),
    [
        ("RTX 5090", 33_677_180_928),
        ("L4-24GB", 23_583_784_960),
        ("RTX 6000 Ada", 50_865_307_648),
        ("T4-16GB", 15095 * MIB),
    ],
)
def test_memory_is_what_the_card_reported(name: str, bytes_told: int) -> None:
    """Where the source is exact to the byte, so is the catalogue."""
    assert GPUS[name].memory_bytes == bytes_told


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("A100-80GB", "A100-80GB"),
        ("a100", "A100-80GB"),
        ("A100-40GB", "A100-40GB"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB"),
        ("NVIDIA A100 80GB PCIe", "A100-80GB-PCIe"),
        ("T4-16GB", "T4-16GB"),
        ("Tesla T4", "T4-16GB"),
        ("rtx4090", "RTX 4090"),
        ("RTX4090-24GB", "RTX 4090"),
        ("RTX3090-24GB", "RTX 3090"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "RTX 4090 Laptop"),
        ("rtx 4060 ti", "RTX 4060 Ti-16GB"),
        ("rtx3080", "RTX 3080-10GB"),
        ("3090", "RTX 3090"),
        ("4060ti", "RTX 4060 Ti-16GB"),
        ("A6000", "RTX A6000"),
        ("A100 SXM 80GB", "A100-80GB"),
        ("H100", "H100-80GB"),
        ("NVIDIA H100 80GB HBM3", "H100-80GB"),
        ("NVIDIA H100 PCIe", "H100-80GB-PCIe"),
        ("NVIDIA H100 NVL", "H100-NVL-94GB"),
        ("h200", "H200-141GB"),
        ("B200", "B200-180GB"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000 Blackwell"),
        ("Tesla V100-SXM2-32GB", "V100-32GB"),
        ("AMD Instinct MI300X", "MI300X-192GB"),
    ],
)
def test_usual_spellings_resolve(spelling: str, name: str) -> None:
    """What recipes, nvidia-smi and PyTorch call a card finds it."""
    assert gpu(spelling).name == name


@given(card=st.sampled_from(CARDS), data=st.data())
def test_case_and_separators_never_matter(card: Gpu, data: st.DataObject) -> None:
    """A name or alias in any case, with any separators between its parts, resolves to its own card."""
    name = data.draw(st.sampled_from((card.name, *card.aliases)))
    pieces = re.findall(r"[A-Za-z]+|\d+", name)
    glue = data.draw(
        st.lists(st.sampled_from(["", " ", "-", "_", "  "]), min_size=len(pieces), max_size=len(pieces))
    )
    upper = data.draw(st.lists(st.booleans(), min_size=len(pieces), max_size=len(pieces)))
    spelling = "".join(
        (p.upper() if up else p.lower()) + g for p, g, up in zip(pieces, glue, upper, strict=True)
    )
    prefix = data.draw(st.sampled_from(["", f"{card.vendor} ", " "]))
    assert gpu(prefix + spelling) is card


@pytest.mark.parametrize(
    ("typo", "meant"), [("A100-80G", "A100-80GB"), ("RTX 4091", "RTX 4090"), ("H10", "H100-80GB")]
)
def test_a_near_miss_is_suggested(typo: str, meant: str) -> None:
    """The error names what was given and the card that was probably meant."""
    with pytest.raises(HardwareError, match=re.escape(repr(typo))) as caught:
        gpu(typo)
    assert meant in str(caught.value)


def test_a_wrong_size_is_refused() -> None:
    """A size that a card does not have is not quietly replaced by the one that it has."""
    with pytest.raises(HardwareError, match="RTX 4090"):
        gpu("RTX4090-48GB")


def test_an_ambiguous_name_is_refused() -> None:
    """RTX 6000 is three generations; the error offers them instead of choosing one."""
    with pytest.raises(HardwareError, match="RTX 6000 Ada") as caught:
        gpu("RTX 6000")
    assert "RTX PRO 6000 Blackwell" in str(caught.value)


def test_nonsense_is_refused_without_suggestions() -> None:
    """Something unlike any card points to the list."""
    with pytest.raises(HardwareError, match="GPUS"):
        gpu("abacus")


def test_cublas_workspace_depends_on_capability_and_release() -> None:
    """Hopper always takes 32 MiB; Blackwell since torch 2.12; older cards 8.125 MiB."""
    assert gpu("A100").cublas_workspace_bytes("2.13.0") == 8_519_680
    assert gpu("H100").cublas_workspace_bytes("2.13.0+cu130") == 33_554_432
    assert cublas_workspace_bytes((12, 0), "2.10.0") == 8_519_680
    assert cublas_workspace_bytes((12, 0), "2.13.0") == 33_554_432
    assert gpu("MI300X").cublas_workspace_bytes("2.13.0") == 0
    with pytest.raises(HardwareError, match="newest"):
        cublas_workspace_bytes((8, 0), "newest")


def test_context_is_measured_or_between_the_measured() -> None:
    """The T4's figure is the one counted on it; estimates grow with multiprocessors, under 600 MiB."""
    assert gpu("T4").context_bytes == CONTEXT_MEASURED["T4-16GB"][0] == 147_718_144
    assert gpu("RTX 6000 Ada").context_bytes == 426 * MIB
    assert all(card.context_bytes is not None and 0 < card.context_bytes < 600 * MIB for card in CUDA)
    ordered = sorted(CUDA, key=lambda card: card.multiprocessors)
    contexts = [card.context_bytes or 0 for card in ordered]
    assert contexts == sorted(contexts)


def test_links_are_given_in_one_direction() -> None:
    """An A100's 600 GB/s of NVLink is 300 each way; PCIe 4.0 x16 is 31.5 GB/s each way."""
    card = gpu("A100")
    assert card.nvlink_bytes_per_second == 300 * 10**9
    assert card.pcie_bytes_per_second == pytest.approx(31.5e9, rel=0.001)
    assert card.interconnect == "PCIe 4.0 x16 and NVLink"


def test_a_cluster_counts_its_cards() -> None:
    """Cards in all are cards of a node times nodes, and none may be zero."""
    assert Cluster(gpu=gpu("H100"), gpus=8, nodes=2).cards == 16
    with pytest.raises(HardwareError, match="gpus must be at least 1"):
        Cluster(gpu=gpu("H100"), gpus=0)
    assert GPUS["H100-80GB"].advertised_bytes == 80 * GIB
