"""LPIPS, with the real backbone where it is there and a random one otherwise."""

import socket
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from dream_if.metrics import LPIPS, LPIPSInfrared, LPIPSVisible
from dream_if.metrics import functional as F
from dream_if.metrics.functional import learned

SHAPES = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}


@pytest.fixture(scope="module")
def random_backbone(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for layer, (out, channels, size) in SHAPES.items():
        scale = (2 / (channels * size**2)) ** 0.5
        tensors[f"features.{layer}.weight"] = scale * torch.randn(out, channels, size, size, generator=generator)
        tensors[f"features.{layer}.bias"] = 0.1 * torch.randn(out, generator=generator)
    path = tmp_path_factory.mktemp("weights") / "alexnet.safetensors"
    save_file(tensors, path)
    return path


@pytest.fixture(scope="module")
def colour_batch():
    generator = torch.Generator().manual_seed(1)
    visible, fused = torch.rand(2, 3, 3, 64, 80, generator=generator)
    return fused, visible, torch.rand(3, 1, 64, 80, generator=generator)


def test_golden_values_with_the_imagenet_backbone(golden, shared):
    weights = shared / "weights" / "alexnet_features.safetensors"
    if not weights.exists():
        pytest.skip(f"no AlexNet weights at {weights}")
    for name, case in golden.items():
        if case["height"] > 100:
            continue
        fused, visible, infrared = (image.unsqueeze(1) for image in case["triple"])
        expected = case["metrics"]["LPIPS_alex_v0.1"]
        for source, entry in ((infrared, "(fused,ir)"), (visible, "(fused,vi)")):
            value = F.lpips(fused, source, weights=weights).item()
            assert value == pytest.approx(expected[f"lpips 0.1.4 gray replicated {entry}"], abs=1e-4), name
    colour = golden["c10_road100_pia"]
    pair = (colour["colour"][key].permute(0, 3, 1, 2) for key in ("fused", "vi"))
    expected = colour["metrics"]["LPIPS_alex_v0.1"]["lpips 0.1.4 RGB (fused,vi)"]
    assert F.lpips(*pair, weights=weights).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.filterwarnings("ignore:Arguments other than a weight enum")
def test_agrees_with_the_lpips_package(random_backbone, colour_batch):
    package = pytest.importorskip("lpips")
    from safetensors.torch import load_file

    with pytest.warns(UserWarning, match="pretrained"):
        network = package.LPIPS(net="alex", pnet_rand=True, verbose=False)
    state = network.state_dict()
    tensors = load_file(random_backbone)
    for key in state:
        parts = key.split(".")
        if parts[0] == "net":
            state[key] = tensors[f"features.{parts[2]}.{parts[3]}"]
    network.load_state_dict(state)
    fused, visible, _ = (torch.floor(image * 255 + 0.5) for image in colour_batch)
    with torch.no_grad():
        expected = network(fused / 127.5 - 1, visible / 127.5 - 1).flatten()
    assert F.lpips(fused, visible, weights=random_backbone).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_classes_use_colour_and_the_named_source(random_backbone, colour_batch):
    fused, visible, infrared = colour_batch
    both, to_visible, to_infrared = (
        metric(weights=random_backbone, per_image=True)(*colour_batch)
        for metric in (LPIPS, LPIPSVisible, LPIPSInfrared)
    )
    assert torch.allclose(both, (to_visible + to_infrared) / 2)
    assert not torch.allclose(to_visible, to_infrared)
    swapped = LPIPSVisible(weights=random_backbone, per_image=True)(fused.flip(1), visible, infrared)
    assert not torch.allclose(swapped, to_visible)
    assert LPIPSVisible(weights=random_backbone)(visible, visible, infrared) == 0


def test_small_and_undefined_images(random_backbone, colour_batch):
    small = [image[..., :30, :] for image in colour_batch]
    assert LPIPS(weights=random_backbone, per_image=True)(*small).isnan().all()
    broken = colour_batch[0].clone()
    broken[1, 0, 3, 3] = torch.nan
    values = LPIPS(weights=random_backbone, per_image=True)(broken, *colour_batch[1:])
    assert values.isnan().tolist() == [False, True, False]


def test_weights_that_are_none(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="there is no file"):
        LPIPS(weights=tmp_path / "absent.safetensors")
    text = tmp_path / "text.pth"
    text.write_text("not a checkpoint")
    with pytest.raises(ValueError, match="cannot be read as safetensors or a torch checkpoint"):
        LPIPS(weights=text)
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    with pytest.raises(ValueError, match=r"has no features\.0\.weight"):
        LPIPS(weights=other)

    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(
        ValueError, match=r"none are cached in .* failed \(no route to host\)\. Give a file as `weights`"
    ):
        LPIPS()


def test_a_server_that_never_answers_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(learned, "_PATIENCE", 0.2)
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        entry = SimpleNamespace(url=f"http://127.0.0.1:{silent.getsockname()[1]}/alexnet-owt-7be5be79.pth")
        monkeypatch.setattr("torchvision.models.AlexNet_Weights", SimpleNamespace(IMAGENET1K_V1=entry))
        with pytest.raises(ValueError, match=r"none are cached in .* failed \(timed out\)"):
            LPIPS()
    assert socket.getdefaulttimeout() == before
