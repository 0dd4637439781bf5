"""`Fuser`: any size, whole or in tiles, on the device and in the precision that are there."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from dream_if.errors import InputError
from dream_if.inference import Fuser, fuser
from dream_if.inference.fuser import find_device, find_precision
from dream_if.inference.tiles import cut
from dream_if.models import DreamIF


def sources(*size: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 3, *size, generator=generator), torch.rand(batch, 1, *size, generator=generator)


@pytest.fixture
def room_for(monkeypatch):
    """Pretend that so many pixels fit."""

    def limit(pixels: int) -> None:
        monkeypatch.setattr(Fuser, "_pixels_at_once", lambda *_: pixels)

    return limit


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 16), (48, 64)])
@pytest.mark.parametrize("batch", [1, 3])
def test_it_gives_what_the_network_gives(net, size, batch):
    visible, infrared = sources(*size, batch=batch)
    fused = Fuser(net, device="cpu", precision="float32")(visible, infrared)
    with torch.inference_mode():
        expected = net(visible, infrared)
    torch.testing.assert_close(fused.image, expected.fused.clamp(0, 1))
    torch.testing.assert_close(fused.dominance_visible, expected.dominance_visible[0])
    torch.testing.assert_close(fused.dominance_infrared, expected.dominance_infrared[0])
    assert fused.tile is None


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_no_picture(averaging, wrong):
    visible, infrared = sources(16, 16)
    visible[0, 1, 2, 3] = wrong
    with pytest.raises(InputError, match="the fused image has NaN or infinite values; compute in float32"):
        averaging(visible, infrared)


def test_bfloat16_is_close(net):
    visible, infrared = sources(40, 48)
    exact = Fuser(net, device="cpu", precision="float32")(visible, infrared)
    rough = Fuser(net, device="cpu", precision="bfloat16")(visible, infrared)
    assert rough.image.dtype == torch.float32
    assert 0 < (exact.image - rough.image).abs().max() < 0.05


class TestTiles:
    @pytest.mark.parametrize("size", [(301, 497), (200, 700), (333, 205)])
    def test_what_looks_at_single_pixels_is_the_same_in_tiles(self, averaging, room_for, size):
        visible, infrared = sources(*size, batch=2)
        room_for(200 * 200)
        fused = averaging(visible, infrared)
        assert fused.tile is not None
        assert len(averaging.net.shapes) > 2
        assert max(shape[-2] * shape[-1] for shape in averaging.net.shapes) <= 200 * 200
        torch.testing.assert_close(fused.image, (visible + infrared) / 2, atol=1e-6, rtol=0)
        torch.testing.assert_close(fused.dominance_visible, visible.mean(1, keepdim=True), atol=1e-6, rtol=0)
        torch.testing.assert_close(fused.dominance_infrared, 1 - visible.mean(1, keepdim=True), atol=1e-6, rtol=0)

    def test_a_seam_between_different_tiles_is_no_edge(self, averaging, room_for, monkeypatch):
        """Tiles that differ by a constant, as global attention may make them, meet without a step."""
        calls = iter(range(100))

        def uneven(visible, *_):
            return torch.full((1, 5, *visible.shape[-2:]), 0.4 + 0.2 * (next(calls) % 2))

        monkeypatch.setattr(averaging, "_fused", uneven)
        room_for(304 * 304)
        image = averaging(*sources(300, 500)).image
        assert image.max() - image.min() == pytest.approx(0.2, abs=1e-4)
        assert image.diff(dim=-1).abs().max() < 0.2 * 1.7 / 56  # a cosine ramp is at most pi/2 as steep as a line

    @pytest.mark.parametrize("form", [{}, {"stride": 2, "dominance": "weighing"}], ids=str)
    def test_tiles_look_like_the_whole_image(self, tiny_net, form):
        """Global attention and prompts are those of the image, so that its tiles are as bright as they were whole."""
        torch.manual_seed(0)
        net = DreamIF(**tiny_net, **form)
        with torch.no_grad():
            for name, weight in net.named_parameters():
                if name.endswith(("project_out.weight", "components")):
                    weight *= 4  # so that attention and prompts have a say, as after training
        visible, infrared = sources(256, 320)
        visible, infrared = visible * torch.linspace(0, 1, 320), infrared * torch.linspace(1, 0, 256)[:, None]
        free = Fuser(net, device="cpu", precision="float32")
        whole, size = free(visible, infrared).image, (192, 192)
        tiled, apart = torch.zeros_like(whole[0]), torch.zeros_like(whole[0])
        with torch.inference_mode():
            free.add_tiles(tiled, visible, infrared, size)
            for tile in cut(256, 320, size):
                part = (..., tile.rows, tile.columns)
                apart[part] += free(visible[part], infrared[part]).image[0] * tile.weight
        far, near = ((image - whole[0]).abs().mean() for image in (apart, tiled))
        assert near < far / 5

    def test_threads_that_share_a_network_do_not_meet_in_it(self, net, room_for):
        pairs = [sources(200, 210), sources(64, 64)]
        room_for(192 * 192)
        expected = [Fuser(net, device="cpu", precision="float32")(*pair).image for pair in pairs]
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda pair: Fuser(net, device="cpu", precision="float32")(*pair).image, pairs * 2)
        for image, same in zip(found, expected * 2, strict=True):
            torch.testing.assert_close(image, same)  # each thread may sum in an order of its own

    def test_overlaps_do_not_count_twice(self, net):
        """What looks at the whole image sees a bright stripe, where tiles overlap, as it is in the image."""
        visible, infrared = sources(192, 320)
        visible[..., 128:192] = 1
        fuser = Fuser(net, device="cpu", precision="float32")
        seen = []
        hook = net.encoder.embed.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][0]))
        with torch.inference_mode():
            fuser.add_tiles(torch.zeros(3, 192, 320), visible, infrared, (192, 192))
        hook.remove()
        noted, tiles = seen[:2], seen[2:]
        torch.testing.assert_close(torch.cat(noted, dim=-1), visible[0])
        assert [tile.shape[-1] for tile in tiles] == [192, 192]

    def test_a_batch_that_does_not_fit_goes_in_parts(self, averaging, room_for):
        visible, infrared = sources(40, 50, batch=5)
        room_for(2 * 40 * 50 + 1)
        fused = averaging(visible, infrared)
        assert [shape[0] for shape in averaging.net.shapes] == [2, 2, 1]
        assert fused.tile is None
        torch.testing.assert_close(fused.image, (visible + infrared) / 2)

    def test_too_little_memory_for_any_tile(self, averaging, room_for):
        room_for(100 * 100)
        with pytest.raises(InputError, match=r"500x300 pixels do not fit .* MiB more are needed"):
            averaging(*sources(300, 500))

    @pytest.mark.parametrize(
        ("size", "smallest"), [((120, 160), ""), ((192, 192), ""), ((100, 500), "192x104"), ((300, 500), "192x192")]
    )
    def test_tiles_are_mentioned_where_there_are_smaller_ones(self, averaging, room_for, size, smallest):
        height, width = size
        least = min(
            int(smallest.partition("x")[0] or width) * int(smallest.partition("x")[2] or height), height * width
        )
        room_for(least - 1)
        with pytest.raises(InputError) as raised:
            averaging(*sources(*size))
        tiles = f", not in tiles of {smallest} either" if smallest else ""
        assert f"{width}x{height} pixels do not fit into the available memory{tiles}: 1 MiB" in str(raised.value)
        room_for(least)
        assert (averaging(*sources(*size)).tile is None) == (smallest == "")

    def test_a_limit_in_bytes_makes_tiles(self, net, monkeypatch):
        monkeypatch.setattr(fuser, "BETWEEN_TILES", 0)  # as much as this network takes for a large image
        free = Fuser(net, device="cpu", precision="float32")
        used = fuser.used_memory(free.device)
        tight = Fuser(net, device="cpu", precision="float32", max_memory=used + fuser.SPARE + 40 * 2**20)
        visible, infrared = sources(380, 420)
        assert free(visible, infrared).tile is None
        assert tight(visible, infrared).tile is not None
        with pytest.raises(InputError, match="do not fit"):
            Fuser(net, device="cpu", max_memory=2**20)(visible, infrared)


def test_wrong_shapes_are_named(averaging):
    with pytest.raises(InputError, match=r"\(1, 3, 20, 20\) and \(1, 1, 20, 24\)"):
        averaging(sources(20, 20)[0], sources(20, 24)[1])


def test_a_network_without_dominance(tiny_net):
    net = DreamIF(**tiny_net, use_rd=False, use_ce=False, use_se=False)
    fused = Fuser(net, device="cpu")(*sources(20, 24))
    assert fused.image.shape == (1, 3, 20, 24)
    assert fused.dominance_visible is None
    assert fused.dominance_infrared is None


def test_a_memory_error_of_torch_is_explained(averaging, monkeypatch):
    def short(*_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(averaging, "_fused", short)
    with pytest.raises(InputError, match="did not fit into the memory of cpu"):
        averaging(*sources(20, 24))


def test_other_errors_of_torch_stay_what_they_are(averaging, monkeypatch):
    def wrong(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(averaging, "_fused", wrong)
    with pytest.raises(RuntimeError, match="mat1"):
        averaging(*sources(20, 24))


@pytest.mark.parametrize("name", ["tpu9", "", "cuda:99", "meta"])
def test_devices_that_are_not_there(name):
    with pytest.raises(InputError, match="expected auto, cpu, cuda"):
        find_device(name)


def test_automatic_choices(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == cpu
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto") == torch.device("cuda")
    for has, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
        assert find_precision("auto", cpu) == expected
    with pytest.raises(InputError, match="float16"):
        find_precision("float16", cpu)


@pytest.mark.slow
def test_compiled_is_the_same(tiny_net):
    torch.manual_seed(0)
    net = DreamIF(**tiny_net).eval()
    visible, infrared = sources(32, 40)
    expected = Fuser(net, device="cpu", precision="float32")(visible, infrared).image
    compiled = Fuser(net, device="cpu", precision="float32", compiled=True)
    torch.testing.assert_close(compiled(visible, infrared).image, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_compiled_tiles_are_the_same(tiny_net):
    """And there is code for tiles, not for each tile: torch stops compiling after eight."""
    torch.manual_seed(0)
    torch.compiler.reset()
    net = DreamIF(**tiny_net).eval()
    visible, infrared = sources(448, 576)
    expected, found = torch.zeros(5, 448, 576), torch.zeros(5, 448, 576)
    with torch.inference_mode(), torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        Fuser(net, device="cpu", precision="float32").add_tiles(expected, visible, infrared, (192, 192))
        Fuser(net, device="cpu", precision="float32", compiled=True).add_tiles(found, visible, infrared, (192, 192))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_fuses_as_the_cpu_does(net):
    visible, infrared = sources(300, 320)
    expected = Fuser(net, device="cpu", precision="float32")(visible, infrared).image
    found = Fuser(net, device="cuda", precision="float32")(visible, infrared)
    assert found.image.device.type == "cpu"
    torch.testing.assert_close(found.image, expected, atol=1e-2, rtol=0)
    net.cpu()
