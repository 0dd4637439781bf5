"""The fixtures of the parts that the verbs call."""

from tests.evaluation.conftest import folders, options, scored
from tests.inference.conftest import _texture, averaging, net, weights
from tests.sweeps.conftest import calls, no_variables, order, stand_in, two_seeds

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
