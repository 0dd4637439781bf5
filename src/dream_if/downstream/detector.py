"""The detector of Table 5: torchvision's FCOS on a backbone small enough to learn on one CPU core in minutes.

Tian et al., FCOS: Fully Convolutional One-Stage Object Detection, ICCV 2019, arXiv:1904.01355. The backbone is plain:
residual blocks with group norm, which does not care how many images a batch has, and a feature pyramid of three levels.
Nothing is pretrained, so nothing is downloaded and no row starts nearer to photographs than another.
"""

from collections import OrderedDict
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.ops import FeaturePyramidNetwork

__all__ = ["STRIDES", "SmallBackbone", "small_detector"]

STRIDES = (8, 16, 32)
"""Pixels from one place to the next, on each level of the pyramid."""

CHANNELS = (16, 32, 64, 96, 128)  # of the five blocks, the first of which is a single convolution
GROUPS = 8
PYRAMID = 64
HEAD_CONVOLUTIONS = 2
LONGEST = 4  # times the shorter side


class Block(nn.Module):
    """A residual block that halves height and width.

    Args:
        before: channels that come in.
        after: channels that go out.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.GroupNorm(GROUPS, after))
        self.inner = nn.Sequential(
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.GroupNorm(GROUPS, after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.GroupNorm(GROUPS, after),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H/2, W/2), rounded up."""
        x = F.relu(self.down(x))
        return F.relu(x + self.inner(x))


class SmallBackbone(nn.Module):
    """Residual blocks and a feature pyramid, 0.9 million parameters in all.

    Attributes:
        out_channels: of each level, as torchvision's detectors ask.
    """

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = PYRAMID
        self.stem = nn.Sequential(
            nn.Conv2d(3, CHANNELS[0], 3, 2, 1, bias=False), nn.GroupNorm(GROUPS, CHANNELS[0]), nn.ReLU()
        )
        self.blocks = nn.ModuleList(Block(before, after) for before, after in pairwise(CHANNELS))
        self.pyramid = FeaturePyramidNetwork(list(CHANNELS[-len(STRIDES) :]), PYRAMID)

    def forward(self, image: Tensor) -> OrderedDict[str, Tensor]:
        """(B, 3, H, W) to a level for each of `STRIDES`, (B, 64, H/s, W/s)."""
        x = self.stem(image)
        levels: OrderedDict[str, Tensor] = OrderedDict()
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number >= len(self.blocks) - len(STRIDES):
                levels[str(number)] = x
        found: OrderedDict[str, Tensor] = self.pyramid(levels)
        return found


def small_detector(num_classes: int, size: int = 240) -> FCOS:
    """FCOS on `SmallBackbone`, with weights drawn from torch's generator.

    Args:
        num_classes: how many, with one for the background, as torchvision counts them.
        size: pixels to which the shorter side of an image is brought.
    """
    backbone = SmallBackbone()
    return FCOS(
        backbone,
        num_classes,
        min_size=size,
        max_size=LONGEST * size,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.25, 0.25, 0.25],
        anchor_generator=AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES)),
        head=FCOSHead(PYRAMID, 1, num_classes, HEAD_CONVOLUTIONS),
        score_thresh=0.01,  # low scores cost little in AP and are what its curve ends with
    )
