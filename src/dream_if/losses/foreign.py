"""Objectives of any class."""

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dream_if.errors import InputError

__all__ = ["ForeignLoss"]


class ForeignLoss(nn.Module):
    """Any module that scores fused images, with the interface of `FusionLoss`.

    Its ``forward(fused, visible, infrared)`` takes the network's output, (B, 3, H, W), and the clean sources,
    (B, 3, H, W) and (B, 1, H, W) in [0, 1], all float32. It returns a scalar, or a mapping with ``total`` and further
    scalars to log. It may also have ``dominance_visible``, ``dominance_infrared``, ``epoch`` and ``sources`` among its
    arguments; what they are is told in `FusionLoss.forward`.

    Args:
        loss: the module.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.accepted = set(inspect.signature(loss.forward).parameters)

    def forward(
        self, fused: Tensor, visible: Tensor, infrared: Tensor, *maps: tuple[Tensor, ...], **more: object
    ) -> dict[str, Tensor]:
        """See `FusionLoss.forward`.

        Raises:
            InputError: The module returns something else.
        """
        more |= dict(zip(("dominance_visible", "dominance_infrared"), maps, strict=True))
        with torch.autocast(fused.device.type, enabled=False):
            found = self.loss(
                fused.float(),
                visible.float(),
                infrared.float(),
                **{name: value for name, value in more.items() if name in self.accepted},
            )
        terms = dict(found) if isinstance(found, Mapping) else {"total": found}
        for name, term in (("total", terms.get("total")), *terms.items()):
            if not isinstance(term, Tensor) or term.ndim:
                got = f"a tensor {tuple(term.shape)}" if isinstance(term, Tensor) else type(term).__name__
                raise InputError(
                    f"model.loss: {type(self.loss).__name__} returns a scalar, or scalars by name with 'total' among "
                    f"them; got {got} for {name}."
                )
        return terms
