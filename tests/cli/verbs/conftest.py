"""The fixtures of the parts that the verbs call."""

from tests.inference.conftest import _texture, averaging, net, weights
from tests.runs.made_sweeps import calls, no_variables, order, stand_in, two_seeds
from tests.scoring.made_folders import folders, options, scored

__all__ = [
    "_texture",
    "averaging",
    "calls",
    "folders",
    "net",
    "no_variables",
    "options",
    "order",
    "scored",
    "stand_in",
    "two_seeds",
    "weights",
]
