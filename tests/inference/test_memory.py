"""Memory: what is asked for, what there is, and that the count for a network holds in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from dream_if.errors import InputError
from dream_if.inference.memory import SPARE, bytes_per_pixel, parse_memory
from dream_if.models import DreamIF


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("4G", 4 * 2**30),
        ("4GiB", 4 * 2**30),
        ("1.5 gb", 1.5 * 2**30),
        ("900M", 900 * 2**20),
        ("900", 900 * 2**20),
        (".5T", 2**39),
        ("4096B", 4096),
        ("2 kb", 2048),
        (123, 123),
    ],
)
def test_amounts(given, expected):
    assert parse_memory(given) == expected


@pytest.mark.parametrize("given", ["", "much", "-1G", "4X", "9ib", "0", 0, -3, float("inf"), float("nan"), [1]])
def test_what_is_no_amount_is_shown(given):
    with pytest.raises(InputError) as raised:
        parse_memory(given)
    assert str(raised.value) == f"max-memory: expected an amount such as 4G or 900M, got {given!r}."


def test_precision_strips_and_parts_count():
    net = DreamIF(dim=16, num_blocks=[1, 1, 2, 2], num_refinement_blocks=1)
    plain = DreamIF(dim=16, num_blocks=[1, 1, 2, 2], num_refinement_blocks=1, use_ce=False, use_se=False)
    assert bytes_per_pixel(net, 2, strips=True) == bytes_per_pixel(net, 4, strips=True) / 2
    assert bytes_per_pixel(net, 4, strips=False) > 2 * bytes_per_pixel(net, 4, strips=True)
    assert bytes_per_pixel(plain, 4, strips=True) < bytes_per_pixel(net, 4, strips=True)


MEASURE = """
import sys, torch
from dream_if.inference import Fuser
from dream_if.models import DreamIF
torch.set_num_threads(1)
net = DreamIF(dim=16, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1)
fuser = Fuser(net, device="cpu", precision=sys.argv[1])
field = lambda name: 1024 * int(next(l for l in open("/proc/self/status") if l.startswith(name)).split()[1])
fuser(torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32))
sources = torch.rand(1, 3, 384, 384), torch.rand(1, 1, 384, 384)
before = field("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
fuser(*sources)
print(field("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process's peak memory anew")
def test_the_count_bounds_what_a_process_takes_and_is_not_far_off():
    done = subprocess.run([sys.executable, "-c", MEASURE, "float32"], capture_output=True, text=True, check=True)
    net = DreamIF(dim=16, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1)
    count = bytes_per_pixel(net, 4, strips=True) * 384 * 384
    assert 0.8 * count < int(done.stdout) < count + SPARE
