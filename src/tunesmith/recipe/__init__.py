"""Recipe: every choice of one run, frozen and validated; the same keys in YAML, JSON and flags.

names.py     upstream's names, as data          kinds.py   what one value may be
sections.py  the frozen types                   checks.py  what does not go together
read.py      values -> canonical values         text.py    YAML and JSON, safe against hostile files
recipe.py    Recipe itself                      file.py    from a path or standard input
"""

from tunesmith.recipe.file import read_recipe
from tunesmith.recipe.recipe import Recipe, parse_recipe, with_changes
from tunesmith.recipe.sections import Adapter, Freeze, Hardware, Offload, Precision, Quantization, Training

__all__ = [
    "Adapter",
    "Freeze",
    "Hardware",
    "Offload",
    "Precision",
    "Quantization",
    "Recipe",
    "Training",
    "parse_recipe",
    "read_recipe",
    "with_changes",
]
