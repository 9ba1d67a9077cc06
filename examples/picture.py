"""Write the README's picture: a full fine-tune of Llama-3-8B on one A100, drawn without a GPU.

python examples/picture.py [docs/images/estimate.svg]
"""

from __future__ import annotations

import sys

from tunesmith import api

PICTURE = "docs/images/estimate.svg"


def main(path: str = PICTURE) -> None:
    """Estimate the run and draw it to *path*."""
    estimate = api.estimate(
        {
            "model": "meta-llama/Meta-Llama-3-8B",
            "method": "full",
            "precision": {"weights": "bfloat16"},
            "gradient_checkpointing": False,
            "sequence_length": 2048,
            "gradient_accumulation_steps": 2,
            "hardware": {"gpu": "A100-80GB"},
        }
    )
    api.write(estimate, path)


if __name__ == "__main__":
    main(*sys.argv[1:2])
