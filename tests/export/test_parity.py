"""The comparison notices what is wrong with a file."""

import pytest
import torch

from dream_if.errors import InputError
from dream_if.export.parity import LIMIT, SHAPES, check_parity, expected, pictures
from dream_if.models import strips


def faithful(net):
    return lambda visible, infrared: expected(net, visible, infrared, dominance=True)


def test_the_network_equals_itself(net) -> None:
    assert check_parity(net, faithful(net), dominance=True) == dict.fromkeys(SHAPES, 0.0)


@pytest.mark.parametrize(
    ("output", "change"),
    [
        (0, lambda values: values + 2 * LIMIT),
        (0, lambda values: values * float("nan")),
        (1, lambda values: values - 2 * LIMIT),
        (2, lambda values: values[..., 1:]),
    ],
)
def test_any_other_is_told(net, output, change) -> None:
    def run(*sources):
        found = list(faithful(net)(*sources))
        found[output] = change(found[output])
        return tuple(found)

    name = ("fused", "dominance_visible", "dominance_infrared")[output]
    with pytest.raises(InputError, match=f"the exported {name} differs from the network's by .* of 16x16, and 0.001"):
        check_parity(net, run, dominance=True)


def test_a_difference_at_the_last_size_alone_is_told(net) -> None:
    def run(visible, infrared):
        fused, *maps = faithful(net)(visible, infrared)
        return (fused + (0.01 if len(visible[0, 0]) == 250 else 0), *maps)

    with pytest.raises(InputError, match=r"1 pair\(s\) of 333x250"):
        check_parity(net, run, dominance=True)


def test_sources_are_as_they_should_be() -> None:
    odd = [shape for shape in SHAPES if shape[1] % 8 and shape[2] % 8]
    assert len(odd) >= 2
    assert any(shape[0] > 1 for shape in SHAPES)
    for shape in SHAPES:
        visible, infrared = pictures(*shape)
        assert visible.shape == (shape[0], 3, *shape[1:])
        assert infrared.shape == (shape[0], 1, *shape[1:])
        for source in (visible, infrared):
            assert 0 <= source.min() < source.max() <= 1
        assert torch.equal(visible, pictures(*shape)[0])
    with torch.no_grad():  # in the small network at least, where a block has 32 channels at full resolution, 85 inside
        assert strips.worth_it(torch.empty(2, 32, *SHAPES[-1][1:], device="cpu"), 85)
