"""Every parameter count of the catalogue, against the model that transformers builds from the config.

The models are built on the meta device, which holds no memory: about 16 seconds for all on one core.
"""

import json
import warnings

import pytest

from tunesmith.architecture import Entry, catalogue

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers")

FAMILIES = sorted({entry.config["model_type"] for entry in catalogue().values()})


def count(entry: Entry) -> int:
    """Return how many parameters the entry's class has, each shared one counted once."""
    config = entry.architecture().to_dict()
    settings = transformers.AutoConfig.for_model(config.pop("model_type"), **config)
    with torch.device("meta"):
        model = getattr(transformers, entry.model_class)._from_config(settings)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.filterwarnings("ignore")  # the libraries' own notices about old configs
@pytest.mark.parametrize("family", FAMILIES)
def test_the_instantiated_model_has_exactly_as_many_parameters(family: str) -> None:
    transformers.logging.set_verbosity_error()
    counted: dict[str, int] = {}
    for entry in catalogue().values():
        if entry.config["model_type"] == family:
            shape = json.dumps([entry.model_class, entry.architecture().config_sha256])
            if shape not in counted:
                counted[shape] = count(entry)
            assert counted[shape] == entry.parameters, entry.name
