"""Networks of any class, wrapped to add what `DreamIF` has and they lack."""

from typing import Any, Self, TypeAlias

import torch
import yaml
from torch import Tensor, nn

from dream_if.errors import InputError
from dream_if.messages import explain
from dream_if.models.contract import FusionOutput, check_shapes
from dream_if.models.dream_if import DreamIF

__all__ = ["ForeignNetwork", "FusionNetwork", "check_trust"]


class ForeignNetwork(nn.Module):
    """Any module that fuses, with the interface of `DreamIF`.

    The module's ``forward(visible, infrared)`` takes (B, 3, H, W) and (B, 1, H, W) in [0, 1]. It returns the fused
    image, (B, 3, H, W) or (B, 1, H, W) near [0, 1], or a tuple that begins with it, or a `FusionOutput`. It may have
    three things more: ``step``, a whole number, to a multiple of which H and W are then padded; ``has_dominance``, true
    if it returns dominance maps; and a method ``recompute_blocks(bool)``, which ``model.recompute`` needs.

    Args:
        net: the module.
        config: its ``class_path`` and ``init_args``, plain values, from which it can be made again.

    Raises:
        InputError: ``step`` is no whole number from 1 up.
    """

    def __init__(self, net: nn.Module, config: dict[str, Any]) -> None:
        super().__init__()
        self.net = net
        self.config = config
        self.step = getattr(net, "step", 1)
        self.has_dominance = bool(getattr(net, "has_dominance", False))
        if not isinstance(self.step, int) or self.step < 1:
            raise InputError(f"{self.name}.step: expected a whole number from 1 up, got {self.step!r}.")

    @classmethod
    def made(cls, class_path: str, **init_args: Any) -> Self:
        """Import a class, make one with these arguments, and wrap it.

        Args:
            class_path: package.module.Class, which is installed or can be imported from here.
            init_args: plain values for its arguments; for an object its ``class_path`` and ``init_args``.

        Raises:
            InputError: There is no such class, or it does not take these arguments.
        """
        from jsonargparse import ArgumentParser  # which takes longer to load than the small network

        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(nn.Module, "net", required=True)
        try:
            given = parser.parse_object({"net": {"class_path": class_path, "init_args": init_args}})
            net = parser.instantiate(given).net
        except Exception as error:  # a foreign class may raise anything
            raise InputError(f"{class_path} with {init_args}: cannot be made: {explain(str(error))}") from error
        return cls(net, yaml.safe_load(parser.dump(given))["net"])

    @property
    def name(self) -> str:
        """The path of its class."""
        return str(self.config["class_path"])

    def recompute_blocks(self, recompute: bool) -> None:
        """See `DreamIF.recompute_blocks`.

        Raises:
            InputError: It is asked for, and the module cannot.
        """
        own = getattr(self.net, "recompute_blocks", None)
        if own is not None:
            own(recompute)
        elif recompute:
            raise InputError(f"model.recompute: {self.name} has no method recompute_blocks(bool); set it to false.")

    def forward(self, visible: Tensor, infrared: Tensor) -> FusionOutput:
        """Fuse a batch of pairs; see `DreamIF.forward`.

        Raises:
            InputError: The sources are of other shapes, or the module returns something else.
        """
        check_shapes(visible, infrared)
        height, width = visible.shape[-2:]
        given = self._padded(visible)
        found = self.net(given, self._padded(infrared))
        fused, *maps = found if isinstance(found, tuple | list) and found else (found,)
        shape = tuple(getattr(fused, "shape", ()))
        if shape not in ((given.shape[0], channels, *given.shape[-2:]) for channels in (1, 3)):
            got = f"{type(fused).__name__} {shape or ''}".rstrip()
            raise InputError(
                f"{self.name}: expected an image (B, 3, H, W) or (B, 1, H, W) of the size of its sources, "
                f"{tuple(given.shape)}, or a tuple that begins with one; got {got}"
            )
        image = self._cropped(fused, height, width).expand(-1, 3, -1, -1)
        if not isinstance(found, FusionOutput):
            return FusionOutput(image, (), ())
        return FusionOutput(image, *(tuple(self._level(m, height, width) for m in source) for source in maps))

    def _padded(self, image: Tensor) -> Tensor:
        """Repeat the last row and column up to a multiple of `step`; by indices, so that an export can follow."""
        if self.step == 1:
            return image
        for axis in (2, 3):
            size = image.shape[axis]
            places = torch.arange(self.step * ((size + self.step - 1) // self.step), device=image.device)
            image = image.index_select(axis, places.clamp(max=size - 1))
        return image

    def _cropped(self, image: Tensor, height: int, width: int) -> Tensor:
        if self.step == 1:
            return image
        rows, columns = (torch.arange(size, device=image.device) for size in (height, width))
        return image.index_select(2, rows).index_select(3, columns)

    def _level(self, dominance: Tensor, height: int, width: int) -> Tensor:
        """The part of a map (B, 1, h, w) at any scale that belongs to the image before it was padded."""
        scale = max(1, -(-height // self.step) * self.step // dominance.shape[-2])
        return dominance[..., : -(-height // scale), : -(-width // scale)]


FusionNetwork: TypeAlias = DreamIF | ForeignNetwork
"""What trains and fuses."""


def check_trust(settings: Any, source: object, trust_code: bool) -> None:
    """Make sure that code which is not ours is imported only if the user said so.

    Args:
        settings: of the network, as a checkpoint or a file of weights has them.
        source: where they are from, for the message.
        trust_code: whether the user trusts the code.

    Raises:
        InputError: The settings name code, and it is not trusted.
    """
    if isinstance(settings, dict) and "class_path" in settings and not trust_code:
        raise InputError(
            f"{source}: its network is {settings['class_path']}, code that is not part of dream-if and would be run. "
            "If you trust it, add --trust-code, or trust_code=True in Python."
        )
