"""Dream-IF: dynamic relative enhancement for image fusion, the network (Xu et al., Fig. 2 and Eqs. 1-7)."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, cast, final, get_args

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from dream_if.compat import hub_settings
from dream_if.errors import InputError
from dream_if.models.contract import FusionOutput, check_shapes
from dream_if.models.enhancement import Dominance, RelativeEnhancement, WeighedSum, halves
from dream_if.models.restormer import Downsample, PatchEmbedding, Upsample, blocks
from dream_if.models.shipped import SHIPPED, is_hub_id, read_weights, shipped
from dream_if.models.tiled import in_tiles
from dream_if.models.transformer_block import TransformerBlock

__all__ = ["DreamIF"]

# PromptIR's prompts at the full width of 48, by level from full resolution down: channels, and height = width.
PROMPTS = ((64, 64), (128, 32), (320, 16))


class Encoder(nn.Module):
    """Four levels of Restormer blocks (Eq. 1): an image becomes features at 1, 1/2, 1/4 and 1/8 of its size."""

    def __init__(
        self, dim: int, num_blocks: Sequence[int], num_heads: Sequence[int], ffn_expansion: float, channels: int
    ) -> None:
        super().__init__()
        widths = [dim * 2**level for level in range(4)]
        self.embed = PatchEmbedding(dim, channels)
        self.levels = nn.ModuleList(
            blocks(count, partial(TransformerBlock, width, heads, ffn_expansion))
            for count, width, heads in zip(num_blocks, widths, num_heads, strict=True)
        )
        self.down = nn.ModuleList(Downsample(width) for width in widths[:-1])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, channels, H, W) -> the four levels' features, the largest first."""
        features = self.embed(image)
        pyramid = []
        for level, down in zip(self.levels, [*self.down, None], strict=True):
            features = level(features)
            pyramid.append(features)
            if down is not None:
                features = down(features)
        return pyramid


class DecoderLevel(nn.Module):
    """One level up (Eqs. 2 and 7): up-sample, join the encoder's feature, enhance, refine by Restormer blocks."""

    def __init__(
        self, width_below: int, width: int, skip: int, enhance: RelativeEnhancement | None, levels: nn.Sequential
    ) -> None:
        super().__init__()
        self.up = Upsample(width_below)
        joined = width_below // 2 + skip
        self.merge = nn.Conv2d(joined, width, 1, bias=False) if joined != width else nn.Identity()
        self.enhance = enhance
        self.blocks = levels

    def forward(self, features: Tensor, skip: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(2B, 2C, h, w) and the encoder's (2B, C, 2h, 2w) -> features and dominance, or None without RD, at 2h, 2w."""
        features = self.up(features)
        if skip is not None:
            features = torch.cat([features, skip], dim=1)
        features = self.merge(features)
        dominance = None
        if self.enhance is not None:
            features, dominance = self.enhance(features)
        return self.blocks(features), dominance


@final
class DreamIF(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="dream-if",
    license="apache-2.0",
    tags=["image-fusion", "infrared", "image-restoration"],
):
    """Fuses a visible and an infrared image of one scene, restoring both on the way.

    One encoder and one decoder serve both sources, run once on the two stacked along the batch. Sizes are by level,
    full resolution first. ``save_pretrained(folder)`` and ``DreamIF.from_pretrained(folder_or_hub_id)`` keep weights
    as safetensors beside a JSON of these arguments.

    Args:
        dim: channels at full resolution; they double at each level down.
        num_blocks: Restormer blocks at each of the four levels.
        num_refinement_blocks: blocks on the summed sources before the last convolution (Eq. 3).
        num_heads: attention heads at each of the four levels.
        ffn_expansion: hidden over outer channels in the feed-forward network.
        use_rd: relative dominance (Eq. 4).
        use_ce: cross enhancement (Eq. 5); needs ``use_rd``.
        use_se: self enhancement (Eq. 6); needs ``use_rd``.
        dominance: form of RD. ``paper``: each source's map from its own feature alone (Eq. 4), which leaves them near
            one half. ``joint``: from both, so that they sum to one by construction and are free to differ.
            ``weighing``: joint, and a further map of the last features weighs the sources in the sum of Eq. 3. See
            docs/model.md for what each guarantees.
        frozen_dominance: one half in place of every map: a control for experiments.
        near_identity: start CE and SE as nothing added.
        stride: 2 folds 2x2 pixels into channels at the door and unfolds them at the exit, so that every level works at
            half the size: about a quarter of the operations.
        skip_connections: join the encoder's features in the decoder, as in a U-Net.
        shared_encoder: one encoder for both sources; otherwise one each.
        joint_dominance: the name that ``dominance: joint`` had before; still read.

    Raises:
        InputError: CE or SE without RD, an unknown form or stride, lists of other than four levels, or widths that
            heads do not divide.
    """

    def __init__(
        self,
        dim: int = 48,
        num_blocks: list[int] = [4, 6, 6, 8],  # noqa: B006  (read, never changed; a list is what YAML gives)
        num_refinement_blocks: int = 4,
        num_heads: list[int] = [1, 2, 4, 8],  # noqa: B006
        ffn_expansion: float = 2.66,
        use_rd: bool = True,
        use_ce: bool = True,
        use_se: bool = True,
        dominance: Dominance = "paper",
        frozen_dominance: bool = False,
        near_identity: bool = False,
        stride: Literal[1, 2] = 1,
        skip_connections: bool = True,
        shared_encoder: bool = True,
        joint_dominance: bool | None = None,
    ) -> None:
        super().__init__()
        self._compiled: Callable[[Tensor], tuple[Tensor, list[Tensor]]] | None = None
        dominance = self._current_name(dominance, joint_dominance)
        if (use_ce or use_se) and not use_rd:
            asked = " and ".join(name for name, on in (("use_ce", use_ce), ("use_se", use_se)) if on)
            raise InputError(
                f"{asked} needs use_rd: cross and self enhancement are guided by the relative dominance. "
                f"Set use_rd to true, or {asked} to false."
            )
        sizes = {"dim": dim, "num_blocks": num_blocks, "num_refinement_blocks": num_refinement_blocks}
        sizes |= {"num_heads": num_heads, "ffn_expansion": ffn_expansion, "stride": stride}
        for name, value in sizes.items():
            if value is None:  # null in YAML
                raise InputError(f"{name}: expected a value, got null.")
        if dim < 2 or dim % 2:
            raise InputError(f"dim must be an even number from 2 up, as levels halve and double it, got {dim}.")
        if len(num_blocks) != 4 or len(num_heads) != 4:
            raise InputError(
                f"num_blocks and num_heads give one number for each of four levels, got {num_blocks} and {num_heads}."
            )
        if dominance not in get_args(Dominance) or stride not in (1, 2) or isinstance(stride, bool):
            raise InputError(
                f"dominance is one of {', '.join(get_args(Dominance))} and stride 1 or 2, got {dominance} and {stride}."
            )
        self.skip_connections = skip_connections
        self.stride = stride
        self.has_dominance = use_rd
        channels = 3 * stride**2
        self.encoder = Encoder(dim, num_blocks, num_heads, ffn_expansion, channels)
        self.encoder_infrared = None if shared_encoder else Encoder(dim, num_blocks, num_heads, ffn_expansion, channels)

        encoder_widths = [dim * 2**level for level in range(4)]
        widths = [2 * dim, 2 * dim, 4 * dim]  # of the decoder; level 1 keeps both halves of its join, as in Restormer
        self.decoder = nn.ModuleList()
        for level in (2, 1, 0):
            prompt_channels, prompt_size = PROMPTS[level]
            enhance = RelativeEnhancement(
                widths[level],
                num_heads[level],
                ffn_expansion,
                prompt_dim=max(8, round(prompt_channels * dim / 48 / 8) * 8),
                prompt_size=prompt_size,
                use_ce=use_ce,
                use_se=use_se,
                joint=dominance != "paper",
                frozen=frozen_dominance,
                near_identity=near_identity,
            )
            self.decoder.append(
                DecoderLevel(
                    width_below=encoder_widths[3] if level == 2 else widths[level + 1],
                    width=widths[level],
                    skip=encoder_widths[level] if skip_connections else 0,
                    enhance=enhance if use_rd else None,
                    levels=blocks(
                        num_blocks[level],
                        partial(TransformerBlock, widths[level], num_heads[level], ffn_expansion),
                    ),
                )
            )
        self.fusion = nn.Sequential(
            blocks(num_refinement_blocks, partial(TransformerBlock, widths[0], num_heads[0], ffn_expansion)),
            nn.Conv2d(widths[0], channels, 3, padding=1, bias=False),
        )
        self.weigh = WeighedSum(widths[0], frozen_dominance) if use_rd and dominance == "weighing" else None
        self.to(memory_format=torch.channels_last)

    def _current_name(self, dominance: Dominance, joint_dominance: bool | None) -> Dominance:
        """The form of RD, also from weights and configurations that know the old name, which `config` then forgets."""
        settings = hub_settings(self)
        settings.pop("joint_dominance", None)
        if joint_dominance and dominance == "weighing":
            raise InputError("joint_dominance is the old name of dominance: joint; give dominance alone.")
        if joint_dominance:
            dominance = settings["dominance"] = "joint"
        return dominance

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> Self:
        """A trained network: a name of shipped weights, a folder that ``save_pretrained`` wrote, or an id of the hub.

        A name of shipped weights is stronger than a folder of the same name; the text ``./small`` means the folder.
        Arguments are those of `huggingface_hub.ModelHubMixin.from_pretrained`; shipped weights need none. In evaluation
        mode.

        Raises:
            InputError: It is neither a name nor a folder, and no id, which is ``owner/name`` with no folder ``owner``.
        """
        name = str(pretrained_model_name_or_path)
        if name not in shipped():
            if not Path(name).is_dir() and not is_hub_id(name):
                raise InputError(
                    f"{name!r}: no shipped weights of this name (there are: {', '.join(shipped())}), and no folder. An "
                    "id of the Hugging Face hub is owner/name, with no folder owner here; checkpoints are "
                    "for load_network of dream_if.inference."
                )
            return cast(Self, super().from_pretrained(pretrained_model_name_or_path, **kwargs))
        settings, tensors = read_weights(SHIPPED / f"{name}.safetensors")
        net = cls(**settings)
        net.load_state_dict(tensors)
        return net.eval()

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments: what ``save_pretrained`` and a checkpoint keep beside the weights."""
        return dict(hub_settings(self))

    @property
    def step(self) -> int:
        """What it pads height and width of its input to a multiple of: a pixel of the coarsest level."""
        return 8 * self.stride

    def recompute_blocks(self, recompute: bool) -> None:
        """In training, have blocks compute their features a second time for the gradient instead of keeping them."""
        for module in self.modules():
            if isinstance(module, TransformerBlock):
                module.recompute = recompute

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Run everything but padding and cropping through ``torch.compile``, which takes the same arguments.

        Tiles of a `TiledImage` go uncompiled.
        """
        # einops notes each type it meets, and compiled code is bound to these notes: it has to meet both kinds of
        # tensor now, or the second call compiles everything again.
        for tensor in (torch.empty(1), next(self.parameters())):
            rearrange(tensor, "... -> ...")
        self._compiled = torch.compile(self.fuse_stacked, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """Compiled code belongs to this process and these weights: a copy goes without."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]  # torch's
        return state | {"_compiled": None}

    def forward(self, visible: Tensor, infrared: Tensor) -> FusionOutput:
        """Fuse a batch of pairs.

        Args:
            visible: (B, 3, H, W) in [0, 1], H and W at least 16.
            infrared: (B, 1, H, W) in [0, 1].

        Returns:
            The fused images, (B, 3, H, W), and the dominance maps.

        Raises:
            InputError: the shapes are not these.
        """
        check_shapes(visible, infrared)
        height, width = visible.shape[-2:]
        sources = torch.cat([visible, repeat(infrared, "b 1 h w -> b c h w", c=3)])
        sources = F.pad(sources, (0, -width % self.step, 0, -height % self.step), mode="reflect")
        # What tiles of one image note of each other is no part of compiled code.
        fuse = self.fuse_stacked if self._compiled is None or in_tiles() else self._compiled
        fused, maps = fuse(sources.contiguous(memory_format=torch.channels_last))
        scales = [sources.shape[-1] // dominance.shape[-1] for dominance in maps]
        maps_of_sources = [
            dominance[..., : -(-height // scale), : -(-width // scale)].chunk(2)
            for scale, dominance in zip(scales, maps, strict=True)
        ]
        return FusionOutput(
            fused[..., :height, :width],
            dominance_visible=tuple(visible_map for visible_map, _ in maps_of_sources),
            dominance_infrared=tuple(infrared_map for _, infrared_map in maps_of_sources),
        )

    def fuse_stacked(self, sources: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Fuse sources stacked along the batch, (2B, 3, H, W) with H and W multiples of `step`.

        Returns:
            Fused images (B, 3, H, W), and both sources' dominance maps (2B, 1, h, w) as in `FusionOutput`.
        """
        if self.stride > 1:
            sources = F.pixel_unshuffle(sources, self.stride).contiguous(memory_format=torch.channels_last)
        pyramid = self.encode(sources)
        features = pyramid.pop()
        maps: list[Tensor] = []
        for level in self.decoder:
            skip = pyramid.pop() if self.skip_connections else None
            features, dominance = level(features, skip)
            if dominance is not None:
                maps.insert(0, dominance)

        if self.weigh is None:
            features = torch.add(*halves(features))
        else:
            features, dominance = self.weigh(features)
            maps.insert(0, dominance)
        refine, to_rgb = self.fusion
        features = refine(features)
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 has fewer steps near 1 than a saved image
            fused = to_rgb(features.to(to_rgb.weight.dtype))
        if self.stride > 1:
            fused = F.pixel_shuffle(fused, self.stride)
            maps = [F.interpolate(dominance, scale_factor=self.stride, mode="bilinear") for dominance in maps]
        return fused, maps

    def encode(self, sources: Tensor) -> list[Tensor]:
        """The four levels' features of the stacked sources, the largest first."""
        if self.encoder_infrared is None:
            return self.encoder(sources)
        visible, infrared = halves(sources)
        pyramids = zip(self.encoder(visible), self.encoder_infrared(infrared), strict=True)
        return [torch.cat(pair) for pair in pyramids]
