"""trainers: recipes as files that other trainers run, and their files as recipes.

exporting.py  a recipe -> files, read back before they are handed out    importing.py   a file -> a recipe
trl.py accelerate.py deepspeed.py llamafactory.py axolotl.py torchtune.py swift.py      one trainer each
arguments.py  transformers' TrainingArguments, which most of them share  reading.py     a file, key by key
quantising.py where 4-bit weights are quantised, which trainers decide by themselves
splitting.py  tensor and expert parallelism, which TRL hands on to transformers
differences.py  what a file runs otherwise than its recipe says          recognising.py whose file is it
draft.py      an export being written        defaults.py   what a trainer does where its file is silent
schemas.json  the keys that each release knows                           result.py      what comes back
"""

from tunesmith.trainers.exporting import export
from tunesmith.trainers.importing import read, read_path
from tunesmith.trainers.result import TITLES, TRAINERS, Export, File, Imported, Origin, Said

__all__ = [
    "TITLES",
    "TRAINERS",
    "Export",
    "File",
    "Imported",
    "Origin",
    "Said",
    "export",
    "read",
    "read_path",
]
