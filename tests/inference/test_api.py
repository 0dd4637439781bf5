"""`dream_if.fuse`: every kind of picture comes back as the same kind, with the right values."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from safetensors.torch import save_file

import dream_if
from dream_if.decoding import decode
from dream_if.errors import InputError
from dream_if.inference import Fuser, api
from dream_if.models import DreamIF

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PAGE = Path(__file__).parents[2] / "docs/fuse.md"


@pytest.fixture
def pair(texture):
    return texture(24, 30, 3, seed=1), texture(24, 30, 1, seed=2)[:, :, 0]


def mean(visible: np.ndarray, infrared: np.ndarray) -> np.ndarray:
    """What the averaging network makes of 8-bit arrays (H, W, 3) and (H, W), in [0, 1]."""
    return (visible / 255 + infrared[:, :, None] / 255) / 2


def close(found: np.ndarray, expected: np.ndarray, white: int = 255) -> None:
    """The levels nearest to values in [0, 1]; of two that are equally near, either."""
    assert found.shape == expected.shape
    assert np.abs(found - expected * white).max() < 0.51


class TestArrays:
    def test_eight_bit_colour(self, averaging, pair):
        fused = dream_if.fuse(*pair, weights=averaging)
        assert fused.dtype == np.uint8
        close(fused, mean(*pair))

    @pytest.mark.parametrize("infrared_shape", [(24, 30), (24, 30, 1), (24, 30, 3)])
    def test_infrared_with_one_or_three_channels(self, averaging, pair, infrared_shape):
        infrared = np.broadcast_to(pair[1][:, :, None], (24, 30, infrared_shape[-1] if len(infrared_shape) == 3 else 1))
        fused = dream_if.fuse(pair[0], infrared.reshape(infrared_shape), weights=averaging)
        close(fused, mean(*pair))

    @pytest.mark.parametrize("shape", [(24, 30), (24, 30, 1)])
    def test_grey_stays_grey(self, averaging, pair, shape):
        grey = pair[0][:, :, :1]
        fused = dream_if.fuse(grey.reshape(shape), pair[1], weights=averaging)
        assert fused.shape == shape
        close(fused.reshape(24, 30, 1), mean(grey, pair[1]))

    def test_grey_stored_as_colours_gets_none(self, net, pair):
        grey = np.repeat(pair[0][:, :, :1], 3, axis=2)
        fused = dream_if.fuse(grey, pair[1], weights=net, device="cpu")
        assert fused.shape == grey.shape
        assert (fused == fused[:, :, :1]).all()
        single = dream_if.fuse(grey[:, :, 0], pair[1], weights=net, device="cpu")
        np.testing.assert_array_equal(fused[:, :, 0], single)

    def test_sixteen_bits(self, averaging, pair):
        visible, infrared = pair[0].astype(np.uint16) * 257, pair[1].astype(np.uint16) * 257
        fused = dream_if.fuse(visible, infrared, weights=averaging, infrared_range="full")
        assert fused.dtype == np.uint16
        close(fused, mean(*pair), 65535)

    @pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
    def test_floats(self, averaging, pair, kind):
        fused = dream_if.fuse((pair[0] / 255).astype(kind), (pair[1] / 255).astype(kind), weights=averaging)
        assert fused.dtype == kind
        np.testing.assert_allclose(fused, mean(*pair), atol=1e-3)

    def test_alpha_is_kept(self, averaging, pair, texture):
        alpha = texture(24, 30, 1, seed=3)
        fused = dream_if.fuse(np.concatenate([pair[0], alpha], axis=2), pair[1], weights=averaging)
        np.testing.assert_array_equal(fused[:, :, 3:], alpha)
        close(fused[:, :, :3], mean(*pair))

    @pytest.mark.parametrize("with_axis", [True, False])
    def test_a_batch(self, averaging, texture, with_axis):
        visible = np.stack([texture(24, 30, 3, seed) for seed in range(5)])
        infrared = np.stack([texture(24, 30, 1, seed + 9) for seed in range(5)])
        fused = dream_if.fuse(visible, infrared if with_axis else infrared[..., 0], weights=averaging, batch_size=2)
        assert [shape[0] for shape in averaging.net.shapes] == [2, 2, 1]
        for index in range(5):
            close(fused[index], mean(visible[index], infrared[index, :, :, 0]))

    def test_a_palette_gives_colours_to_grey(self, averaging, pair):
        found = dream_if.fuse(pair[1], pair[1], weights=averaging, palette="inferno")
        assert (found.dtype, found.shape) == (np.uint8, (24, 30, 3))

    def test_a_shared_range(self, averaging, pair):
        heat = [pair[1].astype(np.uint16) * 4 + start for start in (7000, 7600)]
        for values in heat:
            values[:2, :2] = 8000
        one, other = dream_if.fuse([pair[0]] * 2, heat, weights=averaging, infrared_range="shared")
        np.testing.assert_array_equal(one[:2, :2], other[:2, :2])
        assert (one[2:] < other[2:]).mean() > 0.9

    def test_colour_modes(self, averaging, pair):
        grey = dream_if.fuse(*pair, weights=averaging, colour="grey")
        weights = np.array([0.299, 0.587, 0.114])
        close(grey, (mean(*pair) @ weights)[:, :, None])
        ycbcr = dream_if.fuse(*pair, weights=averaging, colour="ycbcr") / 255
        inside = ((ycbcr > 0) & (ycbcr < 1)).all(axis=2)
        assert inside.mean() > 0.5
        np.testing.assert_allclose((ycbcr @ weights)[inside], (mean(*pair) @ weights)[inside], atol=0.005)
        visible = pair[0] / 255
        red_difference = (ycbcr[..., 0] - ycbcr @ weights) - (visible[..., 0] - visible @ weights)
        assert np.abs(red_difference[inside]).max() < 0.005


class TestTensors:
    @pytest.mark.parametrize("batch", [(), (1,), (3,)])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_floats(self, averaging, batch, channels):
        generator = torch.Generator().manual_seed(0)
        visible = torch.rand(*batch, channels, 20, 28, generator=generator)
        infrared = torch.rand(*batch, 1, 20, 28, generator=generator)
        fused = dream_if.fuse(visible, infrared, weights=averaging)
        assert fused.shape == visible.shape
        torch.testing.assert_close(fused, (visible + infrared) / 2, atol=1e-6, rtol=0)

    @pytest.mark.parametrize("kind", [torch.uint8, torch.float64, torch.bfloat16])
    def test_types(self, averaging, pair, kind):
        visible, infrared = torch.from_numpy(pair[0]).permute(2, 0, 1), torch.from_numpy(pair[1])[None]
        if kind.is_floating_point:
            visible, infrared = visible.to(kind) / 255, infrared.to(kind) / 255
        fused = dream_if.fuse(visible, infrared, weights=averaging)
        assert fused.dtype == kind
        found = fused.float().permute(1, 2, 0).numpy() / (1 if kind.is_floating_point else 255)
        np.testing.assert_allclose(found, mean(*pair), atol=0.004 if kind != torch.bfloat16 else 0.02)

    def test_maps(self, averaging):
        visible, infrared = torch.rand(2, 3, 20, 28), torch.rand(2, 1, 20, 28)
        fused = dream_if.fuse(visible, infrared, weights=averaging, dominance=True)
        torch.testing.assert_close(fused.dominance_visible, visible.mean(1, keepdim=True))
        torch.testing.assert_close(fused.dominance_infrared, 1 - visible.mean(1, keepdim=True))
        single = dream_if.fuse(visible[0], infrared[0], weights=averaging, dominance=True)
        assert single.dominance_visible.shape == (1, 20, 28)


class TestImagesAndFiles:
    def test_an_image_of_pillow(self, averaging, pair):
        image = Image.fromarray(pair[0])
        image.info["icc_profile"] = SRGB
        fused = dream_if.fuse(image, Image.fromarray(pair[1]), weights=averaging)
        assert isinstance(fused, Image.Image)
        assert fused.mode == "RGB"
        assert fused.info["icc_profile"] == SRGB
        close(np.asarray(fused), mean(*pair))

    @pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
    def test_modes_stay(self, averaging, pair, mode):
        image = Image.fromarray(pair[0]).convert(mode)
        assert dream_if.fuse(image, Image.fromarray(pair[1]), weights=averaging).mode == mode

    def test_paths(self, averaging, pair, tmp_path):
        Image.fromarray(pair[0]).save(tmp_path / "v.png")
        Image.fromarray(pair[1]).save(tmp_path / "i.png")
        image = dream_if.fuse(tmp_path / "v.png", str(tmp_path / "i.png"), weights=averaging)
        close(np.asarray(image), mean(*pair))
        written = dream_if.fuse(tmp_path / "v.png", tmp_path / "i.png", out=tmp_path / "f.png", weights=averaging)
        assert written == tmp_path / "f.png"
        np.testing.assert_array_equal(np.asarray(Image.open(written)), np.asarray(image))

    def test_sixteen_bits_need_a_file(self, averaging, pair, tmp_path):
        visible, infrared = (Image.fromarray(values) for values in pair)
        out = dream_if.fuse(visible, infrared, weights=averaging, depth=16, out=tmp_path / "f.png")
        close(decode(out).pixels, mean(*pair), white=65535)
        with pytest.raises(InputError, match="depth=16 is for out"):
            dream_if.fuse(visible, infrared, weights=averaging, depth=16)

    @pytest.mark.parametrize("role", ["visible", "infrared"])
    def test_a_source_is_not_overwritten(self, averaging, pair, tmp_path, monkeypatch, role):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, values in zip(("visible", "infrared"), pair, strict=True):
            Image.fromarray(values).save(f"{name}.png")
        before = Path(f"{role}.png").read_bytes()
        for out in (f"{role}.png", tmp_path / f"{role}.png", f"~/{role}.png"):
            with pytest.raises(InputError, match="is a source, and would be overwritten"):
                dream_if.fuse("~/visible.png", "infrared.png", out=out, weights=averaging)
        assert Path(f"{role}.png").read_bytes() == before
        assert dream_if.fuse("visible.png", "infrared.png", out="~/f.png", weights=averaging) == tmp_path / "f.png"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["f.png", "infrared.png", "visible.png"]

    def test_kinds_may_differ_and_the_visible_one_decides(self, averaging, pair):
        fused = dream_if.fuse(pair[0], Image.fromarray(pair[1]), weights=averaging)
        close(fused, mean(*pair))

    def test_a_list_of_different_sizes(self, averaging, texture):
        sizes = [(20, 24), (20, 24), (30, 20), (20, 24)]
        visible = [texture(*size, 3, seed) for seed, size in enumerate(sizes)]
        infrared = [texture(*size, 1, seed + 9) for seed, size in enumerate(sizes)]
        fused = dream_if.fuse(visible, infrared, weights=averaging, batch_size=4)
        assert [shape[0] for shape in averaging.net.shapes] == [2, 1, 1]
        for one, seen, heated in zip(fused, visible, infrared, strict=True):
            close(one, mean(seen, heated[:, :, 0]))


class TestMissing:
    def test_it_has_to_be_allowed(self, averaging, pair):
        for sources in ((None, pair[1]), (pair[0], None)):
            with pytest.raises(InputError, match="allow_missing=True"):
                dream_if.fuse(*sources, weights=averaging)
        with pytest.raises(InputError, match="missing"):
            dream_if.fuse(None, None, weights=averaging, allow_missing=True)

    def test_it_has_to_be_allowed_for_each_of_a_list(self, averaging, pair):
        for sources, said in (
            (([pair[0], pair[0]], [pair[1], None]), "the infrared picture of pair 2 is missing.*allow_missing=True"),
            (([None, pair[0]], [pair[1], pair[1]]), "the visible picture of pair 1 is missing.*allow_missing=True"),
        ):
            with pytest.raises(InputError, match=said):
                dream_if.fuse(*sources, weights=averaging)
        with pytest.raises(InputError, match="both pictures of pair 2 are missing"):
            dream_if.fuse([pair[0], None], None, weights=averaging, allow_missing=True)

    def test_some_of_a_list(self, averaging, pair):
        visible, infrared = [pair[0], None, pair[0]], [pair[1], pair[1], None]
        fused = dream_if.fuse(visible, infrared, weights=averaging, allow_missing=True, batch_size=3)
        for found, wanted in zip(fused, (mean(*pair), pair[1] / 255 / 2, pair[0] / 255 / 2), strict=True):
            close(found, wanted)

    def test_black_stands_in(self, averaging, pair):
        visible = dream_if.fuse(pair[0], None, weights=averaging, allow_missing=True)
        close(visible, pair[0] / 255 / 2)
        infrared = dream_if.fuse(None, pair[1], weights=averaging, allow_missing=True)
        close(infrared, pair[1] / 255 / 2)


class TestRefused:
    def test_sizes(self, averaging, texture):
        with pytest.raises(InputError, match=r"visible is 30x20 but infrared is 20x30 \(width x height\)"):
            dream_if.fuse(texture(20, 30, 3), texture(30, 20, 1), weights=averaging)

    @pytest.mark.parametrize(
        ("visible", "infrared", "said"),
        [
            (3, 4, "got int"),
            ([], [], "empty"),
            (np.zeros((20, 20, 2), np.uint8), np.zeros((20, 20), np.uint8), "20, 20, 2"),
            (np.zeros((8, 20, 3), np.uint8), np.zeros((8, 20), np.uint8), "16x16"),
            (np.zeros((20, 20), np.int64), np.zeros((20, 20), np.uint8), "int64"),
            (np.zeros((20, 20), bool), np.zeros((20, 20), np.uint8), "bool"),
            (np.full((20, 20), 200.0), np.zeros((20, 20)), "expected 8 or 16 bit"),
            (np.full((20, 20), np.nan), np.zeros((20, 20)), "NaN or infinite"),
            (torch.zeros(2, 3, 20, 20), torch.zeros(3, 1, 20, 20), "2 visible and 3 infrared"),
            (torch.zeros(20), torch.zeros(20), "got"),
        ],
    )
    def test_what_is_no_pair(self, averaging, visible, infrared, said):
        with pytest.raises(InputError, match=said):
            dream_if.fuse(visible, infrared, weights=averaging)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"colour": "sepia"}, "rgb, ycbcr, grey"),
            ({"infrared_range": "warm"}, "LOW,HIGH"),
            ({"batch_size": 0}, "1 or more"),
            ({"batch_size": 1.5}, "a whole number, 1 or more, got 1.5"),
            ({"out": "fused.png"}, "one pair of paths"),
        ],
    )
    def test_settings(self, averaging, pair, options, said):
        with pytest.raises(InputError, match=said):
            dream_if.fuse(*pair, weights=averaging, **options)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"weights": None}, "weights: expected a name, .* got NoneType"),
            ({"weights": torch.nn.Linear(2, 2)}, "weights: expected a name, .* got Linear"),
            ({"max_memory": [1]}, r"max-memory: expected an amount .* got \[1\]"),
            ({"device": "meta"}, "device 'meta'"),
        ],
    )
    def test_settings_of_a_fuser(self, weights, pair, options, said):
        with pytest.raises(InputError, match=said):
            dream_if.fuse(*pair, **{"weights": weights, "device": "cpu", **options})

    def test_maps_that_the_network_has_not(self, tiny_net, pair):
        net = DreamIF(**tiny_net, use_rd=False, use_ce=False, use_se=False)
        with pytest.raises(InputError, match="no dominance maps"):
            dream_if.fuse(*pair, weights=net, device="cpu", dominance=True)


def test_weights_are_loaded_once_until_they_change(weights, pair, monkeypatch):
    loads = []
    load = api.load_network
    monkeypatch.setattr(api, "load_network", lambda given, **more: loads.append(given) or load(given, **more))
    api._loaded.cache_clear()
    first = dream_if.fuse(*pair, weights=weights, device="cpu", precision="float32")
    np.testing.assert_array_equal(dream_if.fuse(*pair, weights=weights, device="cpu", precision="float32"), first)
    assert len(loads) == 1
    dream_if.fuse(*pair, weights=weights, device="cpu", precision="bfloat16")
    assert len(loads) == 2
    api._loaded.cache_clear()


def test_a_network_of_ones_own(net, weights, pair):
    own = dream_if.fuse(*pair, weights=net, device="cpu", precision="float32")
    fuser = Fuser(DreamIF.from_pretrained(weights), device="cpu", precision="float32")
    np.testing.assert_array_equal(own, dream_if.fuse(*pair, weights=fuser))


def test_weights_that_are_named_without_their_ending_are_noticed_to_change(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = {name: tensor.clone().contiguous() for name, tensor in net.state_dict().items()}
    Path("mine.json").write_text(json.dumps({"net": net.config}))
    save_file(state, "mine.safetensors")
    first = api.make_fuser("./mine", device="cpu")
    assert api.make_fuser("./mine", device="cpu") is first
    save_file({name: tensor + 1 for name, tensor in state.items()}, "mine.safetensors")
    os.utime("mine.safetensors", ns=(1, 1))
    assert api.make_fuser("./mine", device="cpu") is not first
    api._loaded.cache_clear()


PRELUDE = """
from pathlib import Path
import numpy, torch
import dream_if.models.shipped
dream_if.models.shipped.SHIPPED = Path()  # read by `load_network` when the page imports it
torch.set_num_threads(1)
del dream_if
found = {
    "visible": numpy.full((24, 30, 3), 99, numpy.uint8), "infrared": numpy.full((24, 30), 99, numpy.uint8),
    "visibles": torch.rand(2, 3, 24, 30), "infrareds": torch.rand(2, 1, 24, 30),
}
"""
SHOW = """
kinds = {name: (type(value).__name__, getattr(value, "shape", None) or value.size) for name, value in found.items()
         if name in ("image", "array", "batch", "fused", "dominance_visible", "tensor")}
print(*(f"{name} {kind} {tuple(shape)}" for name, (kind, shape) in sorted(kinds.items())), sep="\\n")
"""


def test_the_examples_of_the_page_run_in_a_fresh_interpreter(net, pair, tmp_path):
    """With a tiny network as the small one."""
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / "small.safetensors")
    (tmp_path / "small.json").write_text(json.dumps({"net": net.config}))
    Image.fromarray(pair[0]).save(tmp_path / "visible.jpg")
    Image.fromarray(pair[1]).save(tmp_path / "infrared.png")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 2
    code = PRELUDE + "".join(f"exec({block!r}, found)\n" for block in blocks) + SHOW
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "array ndarray (24, 30, 3)",
        "batch Tensor (2, 3, 24, 30)",
        "dominance_visible ndarray (24, 30)",
        "fused ndarray (24, 30, 3)",
        "image Image (30, 24)",
        "tensor Tensor (2, 3, 24, 30)",
    ]


def test_what_is_imported_and_when():
    light = "import sys, dream_if; assert not {'torch', 'PIL'} & set(sys.modules); "
    use = (
        "dream_if.fuse; print(sorted({'lightning', 'kornia', 'torchmetrics', 'matplotlib', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", light + use], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="nothing"):
        dream_if.nothing  # noqa: B018
