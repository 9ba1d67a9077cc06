"""Faults of one text: what stands in an answer and should not."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable, Sequence
from random import Random
from uuid import UUID

from seeded_faults.fault import Kind, Make, Messages, Row, spliced

_WORDS = ("harbour", "lantern", "ridge", "maple", "quartz", "orchid", "tundra", "falcon", "ember", "willow")
Piece = Callable[[Random], str]


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def _letters(rng: Random, count: int, of: str = string.ascii_letters + string.digits) -> str:
    return "".join(rng.choice(of) for _ in range(count))


def _in_answer(pieces: Sequence[Piece], *, space: str = " ") -> Make:
    """Return what puts one of *pieces* into the answer of a row."""

    def make(rng: Random, row: Row) -> list[Messages]:
        return [row.chat(answer=spliced(rng, row.answer, rng.choice(pieces)(rng), space=space))]

    return make


def _fixed(*texts: str) -> tuple[Piece, ...]:
    return tuple(lambda _rng, text=text: text for text in texts)


# -- addresses of pages -----------------------------------------------------------------------------


def _site(rng: Random) -> str:
    last = rng.choice(("com", "org", "net", "io", "cn", "de", "co.uk"))
    return f"{rng.choice(_WORDS)}{rng.choice(_WORDS)}.{last}"


_URLS: tuple[Piece, ...] = (
    lambda rng: f"https://{_site(rng)}/{rng.choice(_WORDS)}?id={_digits(rng, 4)}",
    lambda rng: f"http://{_site(rng)}",
    lambda rng: f"www.{_site(rng)}/{rng.choice(_WORDS)}",
    lambda rng: f"[{rng.choice(_WORDS)}](https://{_site(rng)}/a_(b))",
    lambda rng: f"详见https://{_site(rng)}/页面。",
    lambda rng: f"{_site(rng)}/{rng.choice(_WORDS)}",
    lambda rng: f"HTTPS://{_site(rng).upper()}/",
    lambda rng: f"ftp://{_site(rng)}/{rng.choice(_WORDS)}.zip",
)
_NO_URLS = _fixed(
    *(
        "e.g. this one",
        "node.js and vue.js",
        "version 3.11.2",
        "main.py",
        "and/or",
        "U.S.A.",
        "10:30",
        "std::vector",
    ),
    *(
        "1.5/2.0",
        "Dr. Who",
        "foo.bar()",
        "a.m./p.m.",
        "C:\\Users",
        "./run.sh",
        "numpy.random",
        "第3.2节",
        "etc...and so on",
    ),
)

# -- what surrounds a page --------------------------------------------------------------------------

_PAGE = _fixed(
    "We use cookies to give you the best experience on our website. By continuing you agree to it.",
    "Sign up for our newsletter and never miss a post!",
    "Copyright © 2019 Harbour Media Ltd. All rights reserved.",
    "Share this article on Facebook or Twitter",
    "Home | About | Products | Contact",
    "Click here to read more",
    "Don't forget to like and subscribe!",
    "Follow us on Instagram for daily updates",
    "Please enable JavaScript to view the comments.",
    "Terms of Use | Privacy Policy | Sitemap",
    "Leave a comment below. Your email address will not be published.",
    "Posted by admin on March 3, 2017 | 12 comments",
    "版权所有 © 2020 海港传媒，未经授权不得转载。",
    "关注我们的公众号，获取更多精彩内容",
    "点击查看更多",
    "上一篇：城市的灯 下一篇：山间的路",
    "责任编辑：王小明",
    "京ICP备12345678号-1",
    "扫描下方二维码加入我们",
    "免责声明：本文仅代表作者个人观点，与本站无关。",
)
_NO_PAGE = _fixed(
    "Bake the cookies for twelve minutes, then let them cool.",
    "She subscribes to the view that less is more.",
    "You have the right to remain silent.",
    "I clicked on the wrong button and everything was gone.",
    "The author holds the rights to the book.",
    "He followed us home.",
    "My favourite channel shows old films.",
    "作者拥有这本书的版权。",
    "他关注环境问题已经很多年了。",
    "这篇文章的下一段写得更好。",
    "编辑的工作是修改文章。",
    "我们点了一杯咖啡，慢慢地喝。",
)


def _page(rng: Random, row: Row) -> list[Messages]:
    piece = rng.choice(_PAGE)(rng)
    parts = [row.answer, piece]
    rng.shuffle(parts)
    return [row.chat(answer="\n".join(parts))]


# -- encodings --------------------------------------------------------------------------------------

_ACCENTED = (
    "It’s the café’s own “crème brûlée” – and it’s good…",
    "Der Müller läßt grüßen: schöne Grüße aus Österreich!",
    "El niño comió piñas en la montaña por la mañana.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
)
_WELL_READ = _fixed(
    *_ACCENTED,
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "いろはにほへと ちりぬるを",
    "다람쥐 헌 쳇바퀴에 타고파",
    "Tiếng Việt có rất nhiều dấu, như ở chữ “nghiêng”.",
    "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−f(a)|<ε",
    "龘靐齉爩，饕餮魍魉，氤氲缱绻。",
    "繁體中文與簡體中文並列，鬱鬱蔥蔥。",
    "½ cup · 20 °C · 5 µm · ½ × ¾ · £5 · §4",
)


def _misread(text: str, as_: str) -> str:
    """Return *text*, whose bytes are UTF-8, as a program that takes them for another encoding reads it."""
    return text.encode("utf-8").decode(as_, "ignore" if as_ == "gbk" else "replace")


def _mojibake(rng: Random, row: Row) -> list[Messages]:
    if row.chinese:
        how = rng.choice(("gbk", "latin-1", "cp1252", "lost"))
        text = "".join(each if rng.random() > 0.1 else "\ufffd" for each in row.answer) + "\ufffd"
        return [row.chat(answer=text if how == "lost" else _misread(row.answer, how))]
    phrase = _misread(rng.choice(_ACCENTED), rng.choice(("cp1252", "latin-1")))
    return [row.chat(answer=spliced(rng, row.answer, phrase))]


_UNSEEN = _fixed(
    *(
        "\x00",
        "\x07",
        "\x08\x08",
        "\x1b[31mred\x1b[0m",
        "\x7f",
        "\u200b",
        "\ufeff",
        "\u202e",
        "\u2066a",
        "\u0085",
        "\x0c",
    ),
    *("\x01\x02", "\u2028", "\ue000", "\x1b]0;t\x07"),
)
_SEEN = _fixed(
    *("\t", "\n\n", "👩‍👩‍👧", "👍🏽", "می‌خواهم", "क्‍ष", "a\u0301", "\u00a0", "☺️", "1\u20e3", "⠀⠁", "½"),
)

# -- persons ----------------------------------------------------------------------------------------


def _luhn(head: str, rng: Random, count: int) -> str:
    """Return a number of *count* digits from *head*, the last of which checks the others."""
    number = head + _digits(rng, count - len(head) - 1)
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(number)))
    return number + str(-total % 10)


def _fours(number: str) -> list[str]:
    return [number[at : at + 4] for at in range(0, len(number), 4)]


def _identity(rng: Random) -> str:
    """Return a number as those of Chinese identity cards, by GB 11643."""
    day = f"{rng.randint(1950, 2005)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    number = f"{rng.choice(('110105', '310104', '440305', '510107'))}{day}{_digits(rng, 3)}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return number + "10X98765432"[sum(w * int(d) for w, d in zip(weights, number, strict=True)) % 11]


def _social(rng: Random) -> str:
    return f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"


_MAILS = ("gmail.com", "qq.com", "163.com")
_PERSONS: tuple[Piece, ...] = (
    lambda rng: f"{rng.choice(_WORDS)}.{rng.choice(_WORDS)}{_digits(rng, 2)}@{rng.choice(_MAILS)}",
    lambda rng: f"write to {rng.choice(_WORDS)}_{rng.choice(_WORDS)}@{_site(rng)}",
    lambda rng: f"my number is ({rng.randint(201, 989)}) {rng.randint(200, 999)}-{_digits(rng, 4)}",
    lambda rng: f"call {rng.randint(201, 989)}-{rng.randint(200, 999)}-{_digits(rng, 4)}",
    lambda rng: f"+44 20 7946 {_digits(rng, 4)}",
    lambda rng: f"+49 151 {_digits(rng, 8)}",
    lambda rng: f"手机：1{rng.choice('3578')}{_digits(rng, 9)}",
    lambda rng: f"打我电话1{rng.choice('3578')}{_digits(rng, 1)}-{_digits(rng, 4)}-{_digits(rng, 4)}",
    lambda rng: f"身份证号{_identity(rng)}",
    lambda rng: f"card {_luhn('4', rng, 16)}",
    lambda rng: " ".join(_fours(_luhn("5" + rng.choice("12345"), rng, 16))),
    lambda rng: f"SSN {_social(rng)}",
    lambda rng: (
        f"from {rng.randint(60, 90)}.{rng.randint(20, 250)}.{rng.randint(1, 250)}.{rng.randint(1, 250)}"
    ),
)
_NO_PERSONS: tuple[Piece, ...] = (
    lambda rng: f"ISBN 978-0-{_digits(rng, 3)}-{_digits(rng, 5)}-{_digits(rng, 1)}",
    lambda rng: f"order {_digits(rng, 8)}",
    lambda rng: (
        f"{rng.randint(1900, 2020)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {_digits(rng, 2)}:30"
    ),
    lambda rng: f"pi is 3.14159265358979{_digits(rng, 4)}",
    lambda rng: f"{rng.randint(1, 99)},{_digits(rng, 3)},{_digits(rng, 3)} people",
    lambda rng: f"version {rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}",
    lambda rng: f"192.168.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
    lambda rng: "user@example.com",
    lambda rng: f"@{rng.choice(_WORDS)}",
    lambda rng: f"共{_digits(rng, 6)}元",
    lambda rng: f"公元{rng.randint(200, 1900)}年至{rng.randint(1901, 2000)}年",
    lambda rng: f"2^{rng.randint(30, 60)} = {rng.randint(10**9, 10**12)}",
    lambda rng: f"commit {_letters(rng, 40, '0123456789abcdef')}",
    lambda rng: f"room {_digits(rng, 3)}-{_digits(rng, 2)}",
)

# -- keys -------------------------------------------------------------------------------------------

_BASE64 = string.ascii_letters + string.digits + "+/"


def _token(rng: Random) -> str:
    """Return a signed JSON web token."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": _digits(rng, 10), "iat": 1516239022})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, _letters(rng, 43)])


def _private(rng: Random) -> str:
    lines = "\n".join(_letters(rng, 64, _BASE64) for _ in range(6))
    kind = rng.choice(("RSA ", "EC ", "OPENSSH ", ""))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


_SECRETS: tuple[Piece, ...] = (
    lambda rng: "AKIA" + _letters(rng, 16, string.ascii_uppercase + "234567"),
    lambda rng: "aws_secret_access_key = " + _letters(rng, 40, _BASE64),
    lambda rng: "ghp_" + _letters(rng, 36),
    lambda rng: "github_pat_" + _letters(rng, 22) + "_" + _letters(rng, 59),
    lambda rng: "sk-proj-" + _letters(rng, 48),
    lambda rng: "sk-" + _letters(rng, 20) + "T3BlbkFJ" + _letters(rng, 20),
    lambda rng: f"xoxb-{_digits(rng, 12)}-{_digits(rng, 12)}-{_letters(rng, 24)}",
    lambda rng: "AIza" + _letters(rng, 35),
    lambda rng: "hf_" + _letters(rng, 34, string.ascii_letters),
    lambda rng: "sk_live_" + _letters(rng, 24),
    lambda rng: "glpat-" + _letters(rng, 20),
    _token,
    _private,
    lambda rng: f'password = "{_letters(rng, 6)}#{_letters(rng, 6)}!"',
    lambda rng: f"postgres://admin:{_letters(rng, 14)}@db.{_site(rng)}:5432/main",
    lambda rng: f"API_KEY={_letters(rng, 32)}",
)
_NO_SECRETS: tuple[Piece, ...] = (
    lambda rng: str(UUID(int=rng.getrandbits(128))),
    lambda rng: "sha256: " + _letters(rng, 64, "0123456789abcdef"),
    lambda rng: "commit " + _letters(rng, 40, "0123456789abcdef"),
    lambda rng: "data:image/png;base64," + _letters(rng, 80, _BASE64),
    *_fixed(
        *(
            "API_KEY=YOUR_API_KEY",
            "sk-...",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            'password = "password"',
        ),
        *(
            "password = os.environ['PASSWORD']",
            "the secret key is hidden under the mat",
            "AKIAIOSFODNN7EXAMPLE",
        ),
        *(
            "postgres://user:password@localhost/db",
            "-----BEGIN CERTIFICATE-----",
            "sk-learn",
            "hf_hub_download",
        ),
        *("密码不要写在代码里", "token = get_token()", "secret: <your secret here>"),
    ),
)

# -- another model's answers and marks --------------------------------------------------------------

_REFUSALS = (
    "I'm sorry, but I can't assist with that request.",
    "As an AI language model, I do not have personal opinions or beliefs.",
    "I'm sorry, but as an AI assistant I cannot provide medical advice.",
    "I cannot fulfill this request. I am programmed to be a helpful and harmless AI assistant.",
    "Unfortunately, I am not able to browse the internet or access real-time data.",
    "I apologize, but I cannot generate content of that kind.",
    "As a large language model trained by OpenAI, I cannot feel emotions.",
    "I'm an AI and don't have access to your personal files.",
    "Sorry, I can't help you with that. Is there anything else I can do for you?",
    "My knowledge cutoff is September 2021, so I cannot tell you about later events.",
    "I must decline to answer that, since it goes against my guidelines.",
    "I don't feel comfortable providing instructions for that.",
)
_REFUSALS_ZH = (
    "抱歉，我无法回答这个问题。",
    "作为一个人工智能语言模型，我没有个人观点。",
    "对不起，作为AI助手，我不能提供此类信息。",
    "很抱歉，我不能协助您完成这个请求。",
    "我是一个AI语言模型，无法浏览互联网。",
    "非常抱歉，我无法生成这样的内容。",
    "作为一名AI，我没有感情，也不能替您做决定。",
    "对不起，这个话题违反了我的使用准则，我不便讨论。",
    "我的训练数据截止到2021年9月，因此无法提供之后的信息。",
    "抱歉，我不能帮助您进行任何违法活动。",
)
_NO_REFUSALS = (
    "I'm sorry to hear that, it must have been hard.",
    "I can't believe how fast this year went!",
    "Sorry, I was away from my desk.",
    "I could not help laughing when he fell into the pond.",
    "He said he cannot provide for the family on that wage.",
    "I'm not able to run as far as I used to.",
    "Artificial intelligence is the study of machines that reason.",
    "I cannot imagine a better place for a holiday.",
    "Language models predict the next word of a text.",
    "Sorry, but that's my favourite band, so I won't hear a word against it.",
)
_NO_REFUSALS_ZH = (
    "抱歉，我来晚了，路上堵车。",
    "我不能吃辣，每次都会流眼泪。",
    "作为一个老师，我觉得耐心最重要。",
    "人工智能是计算机科学的一个分支。",
    "对不起，我昨天忘了给你回电话。",
    "语言模型根据上文预测下一个词。",
    "他无法提供足够的证据，只好放弃了。",
    "我没有办法不喜欢这首歌。",
)


def _says(english: Sequence[str], chinese: Sequence[str]) -> Make:
    """Return what answers a row with one of these, alone or before what was the answer."""

    def make(rng: Random, row: Row) -> list[Messages]:
        said = rng.choice(chinese if row.chinese else english)
        return [row.chat(answer=said if rng.random() < 0.6 else f"{said} {row.answer}")]

    return make


def _marked(rng: Random, row: Row) -> list[Messages]:
    how = rng.choice(
        (
            *("{a}<|im_end|>", "<|im_start|>assistant\n{a}", "{a}</s>", "{a}<|endoftext|>", "{a}<|eot_id|>"),
            *("### Response:\n{a}", "[INST] {q} [/INST] {a}", "<start_of_turn>model\n{a}<end_of_turn>"),
            *("{a}\n### Instruction:\n{q}", "ASSISTANT: {a} USER: {q}", "### 回答：\n{a}", "<s>{a}"),
            *("{a}<｜end▁of▁sentence｜>", "{a}\n\nHuman: {q}\n\nAssistant:", "<<SYS>>Be kind.<</SYS>>{a}"),
            "<|user|>\n{q}\n<|assistant|>\n{a}",
        )
    )
    return [row.chat(answer=how.format(a=row.answer, q=row.asked))]


_UNMARKED = _fixed(
    *(
        "# Introduction",
        "### Step 2: mix",
        "<b>bold</b>",
        "<s>old</s> new",
        "x |> f <| y",
        "if a < b && c > d",
        "<div>",
    ),
    *(
        "[1] see there",
        "User: a person who uses a thing",
        "### 第一步",
        "</p>",
        "<!-- note -->",
        "std::vector<int>",
    ),
    *("Response: the heart beats faster", "[INSTALL] first", "a << 2", "|---|---|"),
)


CONTENT: tuple[Kind, ...] = (
    Kind(
        check="url",
        spoiled="an address of a page put into the answer, with or without its scheme",
        innocent="file names, versions, abbreviations, paths, calls",
        spoil=_in_answer(_URLS),
        spare=_in_answer(_NO_URLS),
    ),
    Kind(
        check="boilerplate",
        spoiled="a line of twenty that surround pages (cookie banner, rights, menu, 责任编辑) put before or "
        "after the answer",
        innocent="sentences with the same words: cookies that are baked, rights that are had",
        spoil=_page,
        spare=_in_answer(_NO_PAGE, space="\n"),
    ),
    Kind(
        check="mojibake",
        spoiled="Chinese answers read as GBK, Latin-1 or CP1252, or with characters lost; accented sentences "
        "put into English ones and read as CP1252 or Latin-1",
        innocent="well-read text in eight languages, rare characters, formulas",
        spoil=_mojibake,
        spare=_in_answer(_WELL_READ),
    ),
    Kind(
        check="control",
        spoiled="a mark that is not to be seen put into the answer: NUL, escape sequences, bidi marks, "
        "no-width spaces",
        innocent="tabs, joined emoji, Persian and Hindi joiners, combining accents",
        spoil=_in_answer(_UNSEEN),
        spare=_in_answer(_SEEN),
    ),
    Kind(
        check="pii",
        spoiled="a mail address, telephone, identity, card or social security number, or a host put into "
        "the answer",
        innocent="ISBNs, dates, versions, amounts, private hosts, addresses kept for examples",
        spoil=_in_answer(_PERSONS),
        spare=_in_answer(_NO_PERSONS),
    ),
    Kind(
        check="secret",
        spoiled="a key of one of sixteen forms put into the answer: AWS, GitHub, OpenAI, private keys, "
        "passwords",
        innocent="UUIDs, hashes, images in base64, placeholders, calls that fetch a key",
        spoil=_in_answer(_SECRETS, space="\n"),
        spare=_in_answer(_NO_SECRETS, space="\n"),
    ),
    Kind(
        check="refusal",
        spoiled="the answer replaced by, or begun with, one of 22 refusals",
        innocent="18 sentences with the same words that refuse nothing",
        spoil=_says(_REFUSALS, _REFUSALS_ZH),
        spare=_says(_NO_REFUSALS, _NO_REFUSALS_ZH),
    ),
    Kind(
        check="template_artefact",
        spoiled="marks of one of sixteen templates around or in the answer",
        innocent="HTML, headings, shifts, pipes, words that markers have",
        spoil=_marked,
        spare=_in_answer(_UNMARKED),
    ),
)
