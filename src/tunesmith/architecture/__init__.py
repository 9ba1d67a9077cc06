"""What a model is made of: config.json in, a checked Architecture out, and a catalogue of popular models.

A config.json is a stranger's file. Its published holes (code named in ``auto_map``, kernels fetched by
``attn_implementation``, 10**7 layers in 200 bytes) are closed here, before any library that would act on
it has seen it: :mod:`~tunesmith.architecture.parsing` reads it within bounds and drops what names code,
:mod:`~tunesmith.architecture.dimensions` holds the range of every dimension,
:mod:`~tunesmith.architecture.catalogue` the models known by name, and
:mod:`~tunesmith.architecture.loading` turns what a user wrote into one of them.
"""

from tunesmith.architecture.catalogue import Entry, catalogue, known_parameters
from tunesmith.architecture.loading import load_architecture
from tunesmith.architecture.model import Architecture
from tunesmith.architecture.parsing import parse_architecture

__all__ = [
    "Architecture",
    "Entry",
    "catalogue",
    "known_parameters",
    "load_architecture",
    "parse_architecture",
]
