"""What a fusion takes where waiting threads sleep (OMP_WAIT_POLICY=PASSIVE), against where they spin (ACTIVE).

    python -m benchmarks.waiting

Both are timed in turns, in processes of their own: on the machine as it is, and beside as many busy processes as the
machine has cores. A ratio below 1 says that sleeping is quicker.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["main"]

FUSION = """\
import sys, time, torch
from dream_if.models import DreamIF
torch.set_num_threads(int(sys.argv[1]))
net = DreamIF.from_pretrained("small").eval()
visible, infrared = torch.rand(1, 3, 240, 320), torch.rand(1, 1, 240, 320)
with torch.inference_mode():
    net(visible, infrared)
    start = time.perf_counter()
    net(visible, infrared)
print(time.perf_counter() - start)
"""


def main() -> None:
    """Time both policies and print a line for each load."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    for name, busy in (("quiet", 0), ("under load", os.cpu_count() or 1)):
        with _load(busy):
            turns = [[_seconds(policy, given.threads) for policy in ("PASSIVE", "ACTIVE")] for _ in range(given.turns)]
        asleep, spinning = (statistics.median(column) for column in zip(*turns, strict=True))
        print(f"{name}: asleep {asleep:.2f} s, spinning {spinning:.2f} s, ratio {asleep / spinning:.2f}", flush=True)


def _seconds(policy: str, threads: int) -> float:
    words = [sys.executable, "-c", FUSION, str(threads)]
    variables = os.environ | {"OMP_WAIT_POLICY": policy}
    return float(subprocess.run(words, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout)


@contextmanager
def _load(count: int) -> Iterator[None]:
    """So many processes that do nothing but keep a core busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
