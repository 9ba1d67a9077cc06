"""The words of every face: two languages side by side, and strangers' text made inert."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

LANGUAGES: Final = ("en", "zh")
"""English and Chinese."""

Tell = Callable[[str, str], str]
"""Chooses between a text in English and the same text in Chinese."""

CATEGORY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "weights": "权重",
        "adapter weights": "适配器权重",
        "quantization constants": "量化常数",
        "buffers": "缓冲区",
        "gradients": "梯度",
        "optimizer states": "优化器状态",
        "activations": "激活",
        "autocast copies": "自动混合精度副本",
        "logits and loss": "logits 与损失",
        "inputs": "输入",
        "temporaries": "临时张量",
        "cublas workspaces": "cuBLAS 工作区",
        "gathered parameters": "收集到的参数",
        "communication buffers": "通信缓冲区",
    }
)
"""The categories of memory/timeline.py in Chinese."""
_ON_HOST: Final[Mapping[str, str]] = MappingProxyType({"weights being loaded": "加载中的权重"})
"""What lies in the memory of the host and never on a card."""

_MOMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "load": "加载",
        "prepare_kbit": "k-bit 准备",
        "adapters": "加适配器",
        "optimizer": "建优化器",
        "trainer_built": "建训练器",
        "begin": "开始",
        "forward": "前向",
        "backward": "反向",
        "clip": "裁剪",
        "step": "更新",
        "end": "结束",
        "substep": "微批",
        "fwd_bwd_clip": "前向、反向与裁剪",
    }
)


def tell(lang: str) -> Tell:
    """Return the function that picks the text in *lang*.

    >>> tell("zh")("weights", "权重")
    '权重'
    """
    assert lang in LANGUAGES
    return (lambda _en, zh: zh) if lang == "zh" else (lambda en, _zh: en)


def category_name(category: str, lang: str) -> str:
    """Return what *category* is called in *lang*."""
    known = CATEGORY_NAMES.get(category) or _ON_HOST.get(category)
    return known if known and lang == "zh" else category


def phase_name(phase: str, lang: str) -> str:
    """Return *phase* with a word in Chinese after it where one is known; the name itself is never changed.

    >>> phase_name("step2.backward", "zh")
    'step2.backward（反向）'
    """
    moment = phase.rpartition(".")[2]
    word = moment_name(moment, lang)
    return phase if word == moment else f"{phase}（{word}）"


def moment_name(moment: str, lang: str) -> str:
    """Return the last word of a phase's name in *lang*, where there is room for no more.

    >>> moment_name("backward", "zh")
    '反向'
    """
    return _MOMENTS.get(moment, moment) if lang == "zh" else moment


def inert(text: str, limit: int = 200) -> str:
    """Return *text* as one short line that no terminal or log obeys: escapes, breaks and bidi marks shown.

    >>> inert("a\\x1b[31mb\\nc")
    'a\\\\x1b[31mb\\\\nc'
    """
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown + "…" if len(text) > limit else shown
