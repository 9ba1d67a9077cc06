"""Write the README's picture of a plan: recipes for Llama-3-8B on one 24 GB card, searched without a GPU.

python examples/plan.py [docs/images/plan.svg]
"""

from __future__ import annotations

import sys

from tunesmith import api

PICTURE = "docs/images/plan.svg"


def main(path: str = PICTURE) -> None:
    """Search the recipes and draw them to *path*."""
    plans = api.plan("meta-llama/Meta-Llama-3-8B", gpu="RTX 4090")
    api.write_plans(plans, path)


if __name__ == "__main__":
    main(*sys.argv[1:2])
