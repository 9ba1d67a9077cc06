"""Recipe: every choice of one run, frozen and validated; the same keys in YAML, JSON and flags.

recipe.py    Recipe itself, from mappings and text     file.py      from a path or standard input
sections.py  the frozen types of its sections          checks.py    what does not go together
read.py      any values -> canonical values            kinds.py     what one value may be
names.py     upstream's names, as data                 text.py      YAML and JSON, hostile files included
frozen.py    inline mappings                           problems.py  how a mistake is told
flag.py      the keys as flags                         chinese.py   their help in Chinese
"""

from tunesmith.recipe.file import read_recipe
from tunesmith.recipe.flag import Flag, flags
from tunesmith.recipe.recipe import Recipe, parse_recipe, with_changes
from tunesmith.recipe.sections import (
    Adapter,
    Deepspeed,
    Freeze,
    Hardware,
    Offload,
    Parallel,
    Precision,
    Quantization,
    Step,
    Training,
)

__all__ = [
    "Adapter",
    "Deepspeed",
    "Flag",
    "Freeze",
    "Hardware",
    "Offload",
    "Parallel",
    "Precision",
    "Quantization",
    "Recipe",
    "Step",
    "Training",
    "flags",
    "parse_recipe",
    "read_recipe",
    "with_changes",
]
