"""mojibake: badly decoded text is flagged and mended where nothing is lost; good text is not touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ftfy.badness import is_bad
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.finding import Finding
from tunesmith.checks.mojibake import _SUSPECT, Mojibake
from tunesmith.checks.pattern import holds

Found = Callable[..., Finding | None]

GOOD = (
    "The café’s naïve façade — “½ price”, £5, 20 °C, ×2, ±3 and ©.",
    "人工智能是一门科学。“好”——他说：「是」……",
    "瑕不掩瑜，璧合珠联；浒墅关的婢女姊妹。",
    "日本語のテキスト、한국어 텍스트, Русский текст, ελληνικά, العربية",
    "├── src\n│   └── main.py\n└── ▓▒░",
    "def f(x):\n    return 'é' if x else \"ñ\"",
)
WRONG = {
    "âœ” done": "✔ done",
    "The patientâ€™s cafÃ©": "The patient’s café",
    "人工智能".encode().decode("latin-1"): "人工智能",
    "你好，世界！".encode().decode("gbk"): "你好，世界！",
    "人工智能是一门科学。".encode().decode("gbk", "ignore"): None,
    "机器学习模型".encode().decode("gbk"): "机器学习模型",
    "前面好的。\n"
    + "机器学习模型".encode().decode("gbk")
    + "\nand after": "前面好的。\n机器学习模型\nand after",
    "lost \ufffd\ufffd marks": None,
    "锟斤拷锟斤拷": None,
}


@pytest.mark.parametrize("text", GOOD)
def test_good_text_is_not_touched(found: Found, text: str) -> None:
    """Accents, quotes, East Asian and other scripts, boxes and code."""
    assert found(Mojibake, [{"prompt": text, "completion": text}]) is None
    assert Mojibake().mend(text) == text


@pytest.mark.parametrize("text", WRONG)
def test_wrong_text_is_flagged_and_mended_or_dropped(found: Found, text: str) -> None:
    """What has lost characters can be told but not mended, so cleaning leaves its row out."""
    finding = found(Mojibake, [{"prompt": "q", "completion": "fine"}, {"prompt": "q", "completion": text}])
    assert finding is not None and finding.severity == "warning" and finding.rows == (1,)
    good = WRONG[text]
    assert finding.drop == ((1,) if good is None else ())
    if good is not None:
        assert Mojibake().mend(text) == good


@given(
    st.text(alphabet="The quick brown fox, 人工智能。机器学习模型很好 éèüñ", min_size=4, max_size=30),
    st.sampled_from(["latin-1", "cp1252", "gbk", "utf-8"]),
)
def test_mending_twice_is_mending_once(text: str, codec: str) -> None:
    """Whatever was read with which encoding, and whether it could be mended or not."""
    once = Mojibake().mend(text.encode().decode(codec, "replace"))
    assert Mojibake().mend(once) == once


@given(st.text(alphabet="aZ ÃÂâ€™œ”¤é²½×£½ßÐÑВГРСàØÙ√≈‚вЂ\xa0¡°①│▓“’ß中", max_size=12))
def test_what_ftfy_calls_bad_is_suspect(text: str) -> None:
    """Ftfy's expression says the same in Rust's words as in Python's."""
    assert holds(text, _SUSPECT) >= is_bad(text)
