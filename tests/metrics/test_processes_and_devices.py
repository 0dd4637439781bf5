"""Two processes give what one gives; a GPU gives what the CPU gives."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from dream_if.metrics import METRICS, fusion_metrics

NAMES = ["AG", "EN", "SCD", "Qabf", "SSIM", "VIFF"]


def _images():
    generator = torch.Generator().manual_seed(3)
    visible, infrared = torch.rand(5, 3, 48, 52, generator=generator), torch.rand(5, 1, 48, 52, generator=generator)
    infrared[3] = 0.5  # SCD has no value there
    return (visible + infrared) / 2, visible, infrared


def _process(rank, rendezvous, folder):
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    means, vectors = fusion_metrics(NAMES), fusion_metrics(NAMES, per_image=True)
    share = slice(0, 3) if rank == 0 else slice(3, 5)
    for metrics in (means, vectors):
        metrics.update(*(image[share] for image in _images()))
    torch.save((means.compute(), vectors.compute()), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:SCD is undefined")
def test_two_processes_give_the_numbers_of_one(tmp_path):
    mp.spawn(_process, args=(tmp_path / "rendezvous", tmp_path), nprocs=2)
    means, vectors = fusion_metrics(NAMES), fusion_metrics(NAMES, per_image=True)
    for metrics in (means, vectors):
        metrics.update(*_images())
    for rank in (0, 1):
        of_means, of_vectors = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name in NAMES:
            assert of_means[name].item() == pytest.approx(means.compute()[name].item(), rel=1e-12)
            assert of_vectors[name].tolist() == pytest.approx(vectors.compute()[name].tolist(), nan_ok=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", [name for name in METRICS if not name.startswith("LPIPS")])
def test_gpu_equals_cpu(name, scenes):
    images = [(image.float() / 255).repeat(1, 1, 2, 3) for image in scenes]
    expected = METRICS[name](per_image=True)(*images)
    with torch.autocast("cuda", torch.bfloat16):
        values = METRICS[name](per_image=True).to("cuda")(*(image.cuda() for image in images))
    assert values.device.type == "cuda"
    assert values.tolist() == pytest.approx(expected.tolist(), rel=1e-9)
