"""The training objective (Dream-IF, Eqs. 8 and 9): pixel, gradient, SSIM, colour and dominance terms, and some of ours.

All terms compare with the clean sources, which teaches the network to restore, and run in float32, whatever precision
the network uses. Images are (B, 3, H, W) or (B, 1, H, W) in [0, 1]; each term is a mean, so that its size
does not depend on the image's.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_ycbcr
from torch import Tensor, nn

from dream_if.errors import InputError
from dream_if.losses.appearance import clipping_loss, flat_loss
from dream_if.losses.dominance_targets import (
    activity_target,
    local_error,
    map_loss,
    reliability_target,
    trusted_activity_target,
)
from dream_if.losses.metric_forms import SMALLEST, qabf_loss, sobel, viff_loss

__all__ = [
    "FusionLoss",
    "LossWeights",
    "colour_loss",
    "dominance_loss",
    "gradient_loss",
    "pixel_loss",
    "ssim",
    "ssim_loss",
]


@dataclass
class LossWeights:
    """How much each term counts; a weight of 0 leaves the term out.

    Attributes:
        pixel: L1 to the brighter source, or to the sources' mean during warm-up.
        gradient: L1 to the stronger source gradient.
        ssim: one minus structural similarity, mean over both sources.
        colour: L1 on the chroma of the visible source.
        dominance: squared distance of the summed dominance maps from one.
        qabf: edges of the sources that are lost, by a differentiable form of Qabf. Not in the paper.
        viff: information of the sources that is lost, by a differentiable form of VIFF. Not in the paper.
        flat: L1 to the brighter source where both are flat: against noise and grey skies. Not in the paper.
        clipping: what is nearer to black or white than the sources are. Not in the paper.
        activity: dominance maps that differ from where a source has the stronger structure. Not in the paper, like the
            next two; see `dream_if.losses.dominance_targets`.
        reliability: dominance maps that differ from where a source can be believed more.
        trusted_activity: dominance maps that differ from where a source has structure that can be believed.
    """

    pixel: float = 1.0
    gradient: float = 3.0
    ssim: float = 0.5
    colour: float = 2.0
    dominance: float = 20.0
    qabf: float = 0.0
    viff: float = 0.0
    flat: float = 0.0
    clipping: float = 0.0
    activity: float = 0.0
    reliability: float = 0.0
    trusted_activity: float = 0.0

    def __post_init__(self) -> None:
        """Refuse negative weights, which would reward the error."""
        for name, value in vars(self).items():
            if value < 0:
                raise InputError(f"The loss weight {name} must be 0 or more, got {value}.")


WARMUP_WEIGHTS = LossWeights(pixel=3.0, gradient=0.0, ssim=1.0, colour=2.0, dominance=20.0)


class FusionLoss(nn.Module):
    """The weighted sum of all terms, and each of them by name.

    For the first ``warmup_epochs`` the target is the mean of the sources, without a gradient term: an easy start from
    which the dominance maps settle. Then the target is the brighter source and the stronger gradient.

    Args:
        weights: after the warm-up (Eq. 8).
        warmup_weights: during it.
        warmup_epochs: how long it lasts, in epochs.
    """

    def __init__(
        self,
        weights: LossWeights = LossWeights(),  # noqa: B008  (read, never changed, like the next one)
        warmup_weights: LossWeights = WARMUP_WEIGHTS,
        warmup_epochs: int = 20,
    ) -> None:
        super().__init__()
        self.weights = weights
        self.warmup_weights = warmup_weights
        self.warmup_epochs = warmup_epochs

    @property
    def smallest(self) -> int:
        """The shortest side in pixels of an image that all terms can score."""
        return SMALLEST if self.weights.viff or self.warmup_weights.viff else 1

    def forward(
        self,
        fused: Tensor,
        visible: Tensor,
        infrared: Tensor,
        dominance_visible: tuple[Tensor, ...],
        dominance_infrared: tuple[Tensor, ...],
        epoch: int,
        sources: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Score a batch.

        Args:
            fused: (B, 3, H, W), the network's output, unclamped.
            visible: (B, 3, H, W) in [0, 1], the clean source.
            infrared: (B, 1, H, W) in [0, 1], the clean source.
            dominance_visible: (B, 1, h, w) maps by level; empty without RD.
            dominance_infrared: likewise.
            epoch: the current epoch, from 0; decides about the warm-up.
            sources: visible and infrared as the network saw them, for the terms ``reliability`` and
                ``trusted_activity``; the clean ones if None.

        Returns:
            ``total`` and each term that counts, unweighted, as float32 scalars.
        """
        warming_up = epoch < self.warmup_epochs
        weights = self.warmup_weights if warming_up else self.weights
        with torch.autocast(fused.device.type, enabled=False):
            fused, visible, infrared = fused.float(), visible.float(), infrared.float()
            fused_ycbcr, visible_ycbcr = rgb_to_ycbcr(fused), rgb_to_ycbcr(visible)
            luminance = fused_ycbcr[:, :1], visible_ycbcr[:, :1], infrared
            terms: dict[str, Tensor] = {}
            if weights.pixel:
                terms["pixel"] = pixel_loss(*luminance, target="mean" if warming_up else "max")
            if weights.gradient:
                terms["gradient"] = gradient_loss(*luminance)
            if weights.ssim:
                terms["ssim"] = ssim_loss(*luminance)
            if weights.flat:
                terms["flat"] = flat_loss(*luminance)
            if weights.clipping:
                terms["clipping"] = clipping_loss(*luminance)
            if weights.colour:
                terms["colour"] = colour_loss(fused_ycbcr, visible_ycbcr)
            if weights.dominance and dominance_visible:
                terms["dominance"] = dominance_loss(dominance_visible, dominance_infrared)
            if dominance_visible and (weights.activity or weights.reliability or weights.trusted_activity):
                targets = _map_targets(weights, luminance[1:], sources)
                terms |= {
                    name: map_loss(dominance_visible, dominance_infrared, target) for name, target in targets.items()
                }
            shown = _Shown.apply(luminance[0]), *luminance[1:]
            if weights.qabf:
                terms["qabf"] = qabf_loss(*shown)
            if weights.viff:
                terms["viff"] = viff_loss(*shown)
            total = sum((getattr(weights, name) * term for name, term in terms.items()), fused.new_zeros(()))
        return {"total": total, **terms}


def _map_targets(
    weights: LossWeights, clean: tuple[Tensor, ...], sources: tuple[Tensor, Tensor] | None
) -> dict[str, Tensor]:
    """The targets of dominance maps that count, by the name of their term."""
    visible, infrared = clean
    targets = {}
    if weights.activity:
        targets["activity"] = activity_target(visible, infrared)
    if weights.reliability or weights.trusted_activity:
        received = (rgb_to_ycbcr(sources[0].float())[:, :1], sources[1].float()) if sources else clean
        reliability = reliability_target(local_error(received[0], visible), local_error(received[1], infrared))
        if weights.reliability:
            targets["reliability"] = reliability
        if weights.trusted_activity:
            targets["trusted_activity"] = trusted_activity_target(visible, infrared, reliability)
    return targets


class _Shown(torch.autograd.Function):
    """The image as it will be shown, within [0, 1]; beyond, a gradient passes that leads back, and none that leads on.

    A plain clamp passes neither, and what has left the range stays outside. Passing both lets a term that rewards
    contrast drive an image further and further out, where it earns nothing.
    """

    @staticmethod
    def forward(context: Any, image: Tensor) -> Tensor:
        context.save_for_backward(image)
        return image.clamp(0, 1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (image,) = context.saved_tensors
        leads_on = ((image > 1) & (gradient < 0)) | ((image < 0) & (gradient > 0))  # descent goes against the gradient
        return gradient.masked_fill(leads_on, 0.0)


def pixel_loss(fused: Tensor, visible: Tensor, infrared: Tensor, target: str) -> Tensor:
    """L1 between the fused luminance and, per pixel, the sources' ``"max"`` or ``"mean"``. All (B, 1, H, W).

    On luminance, because the maximum taken channel by channel would pull every warm object towards white and so
    contradict the colour term; hue is that term's business alone.
    """
    goal = torch.maximum(visible, infrared) if target == "max" else (visible + infrared) / 2
    return F.l1_loss(fused, goal)


def gradient_loss(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """L1 to the source derivative of larger magnitude, its sign kept, per pixel and direction. All (B, 1, H, W)."""
    of_visible, of_infrared = sobel(visible), sobel(infrared)
    stronger = torch.where(of_visible.abs() >= of_infrared.abs(), of_visible, of_infrared)
    return F.l1_loss(sobel(fused), stronger)


def ssim_loss(fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
    """Mean over the two sources of one minus `ssim`. All (B, 1, H, W)."""
    return 1 - (ssim(fused, visible) + ssim(fused, infrared)) / 2


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004), mean over images and windows that fit, of (B, 1, H, W) in [0, 1].

    An 11x11 Gaussian window of sigma 1.5, shrunk to the largest odd size that fits a smaller image.
    """
    size = min(11, *((side - 1) // 2 * 2 + 1 for side in first.shape[-2:]))
    offsets = torch.arange(size, device=first.device, dtype=first.dtype) - size // 2
    window = torch.exp(-(offsets**2) / (2 * 1.5**2))
    window = window / window.sum()
    moments = torch.cat([first, second, first * first, second * second, first * second], dim=1)
    moments = F.conv2d(moments, window.view(1, 1, 1, -1).expand(5, -1, -1, -1), groups=5)
    moments = F.conv2d(moments, window.view(1, 1, -1, 1).expand(5, -1, -1, -1), groups=5)
    mean_1, mean_2, square_1, square_2, product = moments.unbind(dim=1)
    variance_1, variance_2 = square_1 - mean_1**2, square_2 - mean_2**2
    covariance = product - mean_1 * mean_2
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    return (similarity / ((mean_1**2 + mean_2**2 + c1) * (variance_1 + variance_2 + c2))).mean()


def colour_loss(fused_ycbcr: Tensor, visible_ycbcr: Tensor) -> Tensor:
    """L1 between the Cb and Cr of fused and visible image. Both (B, 3, H, W), Y, Cb, Cr."""
    return F.l1_loss(fused_ycbcr[:, 1:], visible_ycbcr[:, 1:])


def dominance_loss(visible: tuple[Tensor, ...], infrared: tuple[Tensor, ...]) -> Tensor:
    """Mean over levels of the mean squared distance of ``RD_visible + RD_infrared`` from one.

    The paper's Eq. 9 as printed, a plain sum minus one, has no lowest value; this is its evident purpose, with one.
    """
    errors = [((v.float() + i.float() - 1) ** 2).mean() for v, i in zip(visible, infrared, strict=True)]
    return torch.stack(errors).mean()
