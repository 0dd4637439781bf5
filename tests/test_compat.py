"""What is used of libraries without being public: it is there, and does what it is used for."""

import torch
from lightning.pytorch.callbacks import RichProgressBar
from torch import nn
from torch.export import Dim, export

from dream_if import compat
from dream_if.models import DreamIF
from tests.versions import EXPORT


class Larger(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.reshape(image.shape[0] * image.shape[1]) + 1


def test_the_processor_is_asked() -> None:
    assert isinstance(compat.multiplies_bfloat16(), bool)


@EXPORT
def test_a_traced_program_takes_what_no_guard_refuses() -> None:
    with compat.sizes_stay_free():
        assert torch.fx.experimental._config.backed_size_oblivious
        program = export(Larger(), (torch.rand(2, 3),), dynamic_shapes=({0: Dim("count", min=1)},))
    program._guards_code = ["count > 1", "width == 3"]
    compat.drop_guards(program, "> 1")
    assert program._guards_code == ["width == 3"]


def test_nothing_is_computed() -> None:
    with compat.computing_nothing():
        assert torch.empty(10**6, 10**6).sum(dim=0).shape == (10**6,)


def test_the_constructor_is_noted(tiny_net: dict) -> None:
    assert compat.hub_settings(DreamIF(**tiny_net))["dim"] == tiny_net["dim"]


def test_all_settings_of_a_verb_are_known(run) -> None:
    assert "did you mean --model.net.use_rd?" in run("fit", "--model.net.use_dr", "true").message


def test_fused_optimizers_unscale_by_themselves() -> None:
    parameters = [nn.Parameter(torch.zeros(1))]
    assert compat.unscales_by_itself(torch.optim.AdamW(parameters, fused=True))
    assert not compat.unscales_by_itself(torch.optim.AdamW(parameters))


def test_a_bar_calls_an_epoch_as_it_is_told() -> None:
    assert callable(RichProgressBar._get_train_description)  # which tests/cli/test_launch.py sees in a terminal
    bar = RichProgressBar()
    compat.describe_epochs(bar, lambda epoch: f"epoch {epoch + 1}")
    assert bar._get_train_description(0) == "epoch 1"
