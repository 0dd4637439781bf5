"""`dream-if fuse` on live sources: frames of one moment become one, none pile up, and it ends when a source does."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from dream_if.errors import InputError
from dream_if.inference import Fuser
from dream_if.models import FusionOutput

av = pytest.importorskip("av", reason="videos need the extra `video`")
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")

from dream_if.inference.intensity import InfraredRange  # noqa: E402
from dream_if.inference.stream import RunningRange, fuse_streams  # noqa: E402  (needs PyAV)
from dream_if.inference.stream_reading import Arrived, Source, match  # noqa: E402
from tests.inference.videos import read  # noqa: E402

RATE = 25
EXACT = ("--device", "cpu", "--precision", "float32", "--threads", "1")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("v")
    os.mkfifo("i")
    yield
    for name in ("v", "i"):
        with suppress(OSError):  # nobody waits for it to be opened
            os.close(os.open(name, os.O_WRONLY | os.O_NONBLOCK))
    torch.set_num_threads(1)


class Halves(torch.nn.Module):
    """Shows the visible source on the left, the infrared one on the right."""

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__()
        self.config = {"dim": 16, "use_se": True, "use_rd": True, "ffn_expansion": 2.66, "stride": 1}
        self.has_dominance = False
        self.pause = pause

    def forward(self, visible, infrared):
        time.sleep(self.pause)
        half = visible.shape[-1] // 2
        return FusionOutput(torch.cat((visible[..., :half], infrared.expand(-1, 3, -1, -1)[..., half:]), -1), (), ())


def fuser(pause: float = 0.0) -> Fuser:
    return Fuser(Halves(pause), device="cpu", precision="float32")


class Sender(threading.Thread):
    """Films: frames whose grey level tells their number, each at its time."""

    def __init__(self, url: str, count: int, *, size=(32, 48), hold=0.0, late=0.0, every=1) -> None:
        super().__init__(daemon=True)
        url = os.path.abspath(url) if os.path.exists(url) else url  # a late one starts when its test may have failed
        self.url, self.count, self.size, self.hold, self.late, self.every = url, count, size, hold, late, every

    def run(self) -> None:
        time.sleep(self.late)
        with suppress(OSError, av.FFmpegError), ExitStack() as stack:
            out = self.url
            if os.path.exists(out):  # PyAV would keep Python's lock while it waits for the reader, another thread
                out = f"pipe:{stack.enter_context(open(out, 'wb', buffering=0)).fileno()}"
            container = stack.enter_context(av.open(out, "w", format="mpegts", options={"flush_packets": "1"}))
            quick = {"tune": "zerolatency", "crf": "4", "g": "5"}
            stream = container.add_stream("libx264", rate=Fraction(RATE, self.every), options=quick)
            stream.height, stream.width, stream.pix_fmt = *self.size, "yuv420p"
            self.began = time.monotonic()
            for number in range(0, self.count, self.every):
                time.sleep(max(0.0, self.began + number / RATE - time.monotonic()))
                frame = av.VideoFrame.from_ndarray(np.full((*self.size, 3), level(number), np.uint8), format="rgb24")
                frame.pts, frame.time_base = number // self.every, Fraction(self.every, RATE)
                container.mux(stream.encode(frame))
            time.sleep(self.hold)


def level(number: int) -> int:
    return 20 + 4 * (number % 50)


def numbers(path: str) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Those of the visible and infrared frames in a fused video, and its times."""
    frames, times = read(Path(path))
    sides = [[side.mean() for side in (frame[:, :20], frame[:, 28:])] for frame in frames]
    found = (np.array(sides) - 20) / 4
    return np.round(found[:, 0]), np.round(found[:, 1]), times


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """How many frames apart the numbers are at most, which begin anew after 50."""
    return np.abs((one - other + 25) % 50 - 25).max()


def sent(*senders: Sender) -> None:
    for each in senders:
        each.start()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.slow  # in real time
class TestTwoStreams:
    def test_frames_of_one_moment_become_one(self):
        senders = Sender("v", 60), Sender("i", 60, late=0.1)
        sent(*senders)
        report = fuse_streams(fuser(), "v", "i", Path("f.mp4"), threads=1)
        seen, heated, times = numbers("f.mp4")
        assert report.frames == len(seen) > 10
        assert report.stopped in ("v ended", "i ended")
        later = RATE * (senders[1].began - senders[0].began)  # in frames
        assert apart(seen, heated + later) <= 1
        steps = np.diff(seen) % 50
        assert np.allclose(np.diff(times), steps / RATE, atol=0.012)

    def test_a_slow_network_drops_frames_and_stays_in_step(self):
        sent(Sender("v", 75), Sender("i", 75))
        report = fuse_streams(fuser(pause=0.2), "v", "i", Path("f.mkv"), threads=1)
        seen, heated, _ = numbers("f.mkv")
        assert apart(seen, heated) <= 1
        assert (np.diff(seen) % 50).mean() > 3
        assert report.dropped[0] == 75 - report.frames
        assert report.dropped[1] >= 75 - report.frames - 1

    def test_one_of_another_rate(self):
        sent(Sender("v", 120), Sender("i", 120, every=3))
        # A transport stream's frame is known to be whole two frames later, here 0.08 and 0.24 s.
        fuse_streams(fuser(), "v", "i", Path("f.mp4"), threads=1, lag=0.16)
        seen, heated, _ = numbers("f.mp4")
        assert len(seen) > 10
        assert apart(seen, heated) <= 2

    def test_one_that_ends(self):
        sent(Sender("v", 100), Sender("i", 40))
        report = fuse_streams(fuser(), "v", "i", Path("f.mp4"), threads=1)
        assert report.stopped == "i ended"
        assert len(numbers("f.mp4")[0]) == report.frames > 0

    def test_one_that_falls_silent(self):
        sent(Sender("v", 150), Sender("i", 40, hold=30))
        report = fuse_streams(fuser(), "v", "i", Path("f.mp4"), threads=1, timeout=2)
        assert report.stopped == "i was silent for 2 s"
        assert len(numbers("f.mp4")[0]) == report.frames > 0

    @pytest.mark.parametrize("protocol", ["udp", "tcp"])
    def test_over_the_network(self, protocol):
        ports = free_port(), free_port()
        sent(*(Sender(f"{protocol}://127.0.0.1:{port}?pkt_size=1316", 75, late=0.5) for port in ports))
        urls = [f"{protocol}://127.0.0.1:{port}{'?listen=1' if protocol == 'tcp' else ''}" for port in ports]
        report = fuse_streams(fuser(), *urls, Path("f.mp4"), threads=1, timeout=2)
        seen, heated, _ = numbers("f.mp4")
        assert report.stopped.split(" ", 1)[1] in ("was silent for 2 s", "ended")
        assert apart(seen, heated) <= 1
        assert len(seen) == report.frames > 10

    def test_smoothed_over_time(self):
        sent(Sender("v", 60), Sender("i", 60))
        report = fuse_streams(fuser(), "v", "i", Path("f.mp4"), threads=1, temporal=0.5)
        assert len(numbers("f.mp4")[0]) == report.frames > 10
        assert any("without smoothing" in note for note in report.notes)

    def test_into_a_pipe(self):
        os.mkfifo("f")
        found = []
        reader = threading.Thread(target=lambda: found.append(numbers("f")))
        reader.start()
        sent(Sender("v", 60), Sender("i", 60))
        report = fuse_streams(fuser(), "v", "i", "f", threads=1)
        reader.join()
        assert len(found[0][0]) == report.frames > 10
        assert apart(*found[0][:2]) <= 1


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"size": (32, 64)}, "unequal sizes: v is 48x32 but i is 64x32"),
            ({"count": 0}, "i: .*(Invalid data|ended before a frame)"),
            ({"late": 5}, "i: silent for 2 s before a frame that can be decoded"),
        ],
    )
    def test_a_source_that_cannot_be_used(self, settings, said):
        sent(Sender("v", 75), Sender("i", **{"count": 75} | settings))
        with pytest.raises(InputError, match=said):
            fuse_streams(fuser(), "v", "i", Path("f.mp4"), threads=1, timeout=2)
        assert not Path("f.mp4").exists()

    @pytest.mark.slow  # in real time
    def test_frames_that_never_meet(self):
        sent(Sender("v", 40), Sender("i", 40, late=0.1))
        with pytest.raises(InputError, match="no two frames were close enough in time; allow more seconds with --tol"):
            fuse_streams(fuser(), "v", "i", Path("f.mp4"), threads=1, tolerance=1e-6)

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("v", "i", "-o", "f.png"), "v: cannot be read (it is a pipe or device"),
            (
                ("v", "file.mp4", "-o", "f.mp4", "--stream"),
                "file.mp4: expected a stream, a URL, a device",
            ),
            (("udp://a:1", "udp://a:1", "-o", "f.mp4"), "udp://a:1 is both sources"),
            (("udp://a:1", "udp://a:2", "-o", "f.txt"), "f.txt: expected a video that ends in .mp4"),
            (("udp://a:1", "udp://a:2", "-o", "udp://a:3", "--codec", "vp9"), "udp://a:3: vp9 cannot be stored in .ts"),
            (("udp://a:1", "udp://a:2", "-o", "f.mp4", "--align"), "--align: frames of streams are not"),
            (("udp://a:1", "udp://a:2", "-o", "f.mp4", "--batch-size", "2"), "--batch-size is for files"),
            (("udp://a:1", "udp://a:2", "-o", "f.mp4", "--timeout", "0"), "--timeout must be above 0 seconds"),
            (("v", "i", "-o", "f.png", "--tolerance", "1"), "--lag, --tolerance and --timeout are for streams"),
            (("tcp://127.0.0.1:9", "i", "-o", "f.mp4", "--stream"), "tcp://127.0.0.1:9: cannot be read as a video ("),
        ],
    )
    def test_by_the_command(self, run, weights, args, said):
        Path("file.mp4").touch()
        assert said in run("fuse", *args, "--weights", weights, *EXACT).message


@pytest.mark.slow  # in real time
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_whole_file(run, weights, number):
    sent(Sender("v", 500), Sender("i", 500))
    own = signal.getsignal(number)
    end = threading.Timer(3, lambda: os.kill(os.getpid(), number))
    end.start()
    outcome = run("fuse", "v", "i", "-o", "f.mp4", "--stream", "--weights", weights, *EXACT)
    assert outcome.status == 0, outcome.err
    assert "Stopped by a signal. Dropped " in outcome.err
    assert f"Wrote f.mp4: {len(read(Path('f.mp4'))[0])} frames in " in outcome.out
    assert signal.getsignal(number) == own


class TestMatch:
    def test_takes_the_newest_that_has_a_partner(self):
        assert match([1.00, 1.04], [0.99, 1.03], 0.02) == (1, 1)
        assert match([1.00, 1.04], [0.99], 0.02) == (0, 0)
        assert match([1.00], [1.03, 1.07], 0.02) is None
        assert match([1.00], [], 0.02) is None


class TestTime:
    def times(self, stamps, moments):
        source = Source("x", threading.Condition(), 1)
        found = []
        for stamp, source.heard, now in zip(stamps, [moments[0], *moments], moments, strict=False):
            found.append(source._time(stamp, now) - now)
        return np.array(found)

    def test_frames_that_are_late_keep_their_distance(self):
        stamps = 5 + np.arange(50) / 25
        late = np.random.default_rng(0).uniform(0, 0.03, 50)
        late[0] = 0
        found = self.times(stamps, 100 + np.arange(50) / 25 + late)
        assert np.abs(found + late).max() < 0.003

    def test_a_clock_that_is_slow_or_set_anew(self):
        moments = np.arange(0, 4000, 1.0)
        assert np.abs(self.times(moments * (1 - 1e-4), moments)).max() < 0.003
        assert np.abs(self.times(np.where(moments < 2000, moments, moments - 1999.5), moments)).max() < 0.003
        assert np.abs(self.times(np.where(moments < 2000, moments, moments + 3000), moments)).max() < 0.003
        assert np.abs(self.times([None, None], moments[:2])).max() == 0


def test_percentiles_follow_without_a_jump():
    class Raw:
        grey_bits = 16

        def __init__(self, high):
            self.high = high

        @property
        def pixels(self):
            return np.linspace(1000, self.high, 5000, dtype=np.uint16)

    levels = RunningRange(InfraredRange())
    frames = [Raw(2000 if at < 25 else 9000) for at in range(300)]
    found = [levels.over(Arrived(None, frame, at / 25, 0), frame).high for at, frame in enumerate(frames)]
    assert found[24] == pytest.approx(2000, abs=2)
    assert np.diff(found).min() >= 0
    assert np.diff(found).max() < 7000 * 0.03
    assert found[-1] == pytest.approx(9000, rel=0.02)
    assert str(RunningRange(InfraredRange.parse("3,7")).over(Arrived(None, Raw(9), 0, 0), Raw(9))) == "3,7"
