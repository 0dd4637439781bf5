"""`dream-if degrade`: the files are what `test` and `predict` see, and say how they came about."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from dream_if.data.degradations import ALL_KINDS
from dream_if.data.images import read_image, to_image, to_tensor
from dream_if.models import DreamIF
from tests.data.pictures import smooth, write


def pixels(root: Path) -> dict[str, np.ndarray]:
    """Every written image by source and name, as a decoder other than the package's own call reads it."""
    files = sorted((root / "test").glob("*/*.png"))
    return {f"{path.parent.name}/{path.stem}": cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in files}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What the network was given, in order."""
    given: list[tuple[torch.Tensor, torch.Tensor]] = []
    forward = DreamIF.forward

    def remember(self: DreamIF, visible: torch.Tensor, infrared: torch.Tensor):
        given.append((visible.clone(), infrared.clone()))
        return forward(self, visible, infrared)

    monkeypatch.setattr(DreamIF, "forward", remember)
    return given


class TestBothFrontDoors:
    @pytest.mark.parametrize(
        ("verb", "options"),
        [
            ("test", ("gaussian",)),
            ("predict", ("rain", "--level", 4, "--degrade", "visible", "--seed", 7)),
            pytest.param("test", ("haze+jpeg", "--level", "[2, 4]", "--seed", 2), marks=pytest.mark.slow),
            ("test", ("random", "--seed", 3)),
            pytest.param("test", ("local+haze+gaussian", "--level", "[3, 4]"), marks=pytest.mark.slow),
            ("test", ("local+random", "--degrade", "one", "--seed", 5)),
            pytest.param("predict", ("gaussian", "--degrade", "one"), marks=pytest.mark.slow),
            ("test", ("shift", "--arguments", "{pixels: 4}")),
        ],
    )
    def test_the_network_gets_the_files(self, trained: Path, run, seen: list, verb: str, options: tuple) -> None:
        made = run("degrade", "pairs", "noisy", *options)
        assert made.status == 0, made.err
        settings = ("--config", "tiny.yaml", "--ckpt_path", trained / "checkpoints" / "best.ckpt")
        seen.clear()
        tested = run(verb, *settings, "--config", "noisy/test.yaml")
        assert tested.status == 0, tested.err
        on_the_fly = list(seen)
        seen.clear()
        assert run(verb, *settings, "--data.root", "noisy").status == 0
        assert len(seen) == len(on_the_fly) == 3
        for (visible, infrared), (expected, heated) in zip(seen, on_the_fly, strict=True):
            assert torch.equal(visible, expected)
            assert torch.equal(infrared, heated)
        for index, (visible, infrared) in enumerate(on_the_fly):
            written = read_image(Path(f"noisy/test/vi/test_{index:02d}.png"), 3)
            assert (to_image(visible[0]) == written).all()
            clean = read_image(Path(f"pairs/test/ir/test_{index:02d}.png"), 1)
            if "one" not in options:
                assert (to_image(infrared[0]) == clean).all() == ("--degrade" in options)

    def test_another_seed_is_another_corruption(self, workspace: Path, run) -> None:
        for seed in (0, 1):
            assert run("degrade", "pairs", f"seed{seed}", "gaussian", "--seed", seed).status == 0
        first, second = pixels(workspace / "seed0"), pixels(workspace / "seed1")
        assert first.keys() == second.keys()
        assert not any((first[key] == second[key]).all() for key in first)


class TestImages:
    def test_noise_of_the_papers_level_by_default(self, workspace: Path, run) -> None:
        write(Path("grey/test/vi/a.png"), np.full((64, 64, 3), 128, np.uint8))
        write(Path("grey/test/ir/a.png"), np.full((64, 64, 1), 128, np.uint8))
        assert run("degrade", "grey", "out", "gaussian").status == 0
        written = pixels(workspace / "out")
        assert written["vi/a"].shape == (64, 64, 3)
        for image in written.values():
            assert image.dtype == np.uint8
            assert abs(image.mean() - 128) < 2
            assert 33 < image.std() < 37  # sigma 35

    @pytest.mark.parametrize("kind", ALL_KINDS)
    def test_every_kind_at_every_level_changes_more_and_more(self, workspace: Path, run, kind: str) -> None:
        clean = pixels(workspace / "pairs")
        changes = []
        for level in (1, 4):
            assert run("degrade", "pairs", f"out{level}", kind, "--level", level).status == 0
            changed = pixels(workspace / f"out{level}")
            assert changed.keys() == clean.keys()
            assert all(changed[key].shape == clean[key].shape for key in clean)
            changes.append(np.mean([np.abs(changed[key].astype(float) - clean[key]).mean() for key in clean]))
        assert 0 < changes[0] < changes[1]

    def test_a_source_left_alone_keeps_its_depth(self, workspace: Path, run) -> None:
        deep = smooth(32, 40, 1).astype(np.uint16) * 250 + 3
        write(Path("deep/test/vi/a.png"), smooth(32, 40))
        Path("deep/test/ir").mkdir(parents=True)
        assert cv2.imwrite("deep/test/ir/a.png", deep)
        for which in ("visible", "infrared"):
            assert run("degrade", "deep", which, "gaussian", "--degrade", which).status == 0
        kept = pixels(workspace / "visible")["ir/a"]
        assert kept.dtype == np.uint16
        assert (kept == deep[..., 0]).all()
        assert pixels(workspace / "infrared")["ir/a"].dtype == np.uint8
        assert (read_image(Path("infrared/test/vi/a.png"), 3) == smooth(32, 40)).all()

    def test_of_one_source_of_each_pair_the_other_keeps_its_depth(self, workspace: Path, run) -> None:
        deep = smooth(32, 40, 1).astype(np.uint16) * 250 + 3
        Path("deep/test/ir").mkdir(parents=True)
        for number in range(6):
            write(Path(f"deep/test/vi/{number}.png"), smooth(32, 40))
            assert cv2.imwrite(f"deep/test/ir/{number}.png", deep)
        assert run("degrade", "deep", "out", "gaussian", "--degrade", "one").status == 0
        clean, written = pixels(workspace / "deep"), pixels(workspace / "out")
        left = {key for key in clean if np.array_equal(clean[key], written[key])}
        assert len(left) == 6
        assert {Path(key).stem for key in left} == set("012345")
        assert {Path(key).parent.name for key in left} == {"vi", "ir"}
        assert {key: image.dtype for key, image in written.items() if key.startswith("ir")} == {
            key: np.uint16 if key in left else np.uint8 for key in clean if key.startswith("ir")
        }

    def test_levels_survive_floating_point(self) -> None:
        levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
        assert (to_image(to_tensor(levels)) == levels).all()
        values = torch.tensor([-0.1, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.2]).view(1, 1, 5)
        assert to_image(values).ravel().tolist() == [0, 0, 1, 255, 255]


class TestManifest:
    def test_it_says_what_was_done_and_names_every_file(self, workspace: Path, run) -> None:
        made = run("degrade", "pairs", "out", "blur", "--arguments", "{sigma: [1, 2]}", "--seed", 3)
        assert made.status == 0, made.err
        assert "Wrote 3 corrupted test pair(s)" in made.out
        manifest = json.loads(Path("out/manifest.json").read_text())
        told = {key: manifest[key] for key in ("set", "layout", "split", "kind", "level", "degrade", "seed")}
        assert told == {
            "set": "pairs",
            "layout": "folder",
            "split": "test",
            "kind": "blur",
            "level": None,
            "degrade": "both",
            "seed": 3,
        }
        assert manifest["arguments"] == {"sigma": [1, 2], "size": [7, 21], "anisotropic": 0.5}
        assert [(pair["name"], pair["index"]) for pair in manifest["pairs"]] == [(f"test_{n:02d}", n) for n in range(3)]
        named = set()
        for pair in manifest["pairs"]:
            for source in ("visible", "infrared"):
                entry = pair[source]
                for root, file, digest in (("pairs", "from", "from_sha256"), ("out", "file", "sha256")):
                    assert hashlib.sha256(Path(root, entry[file]).read_bytes()).hexdigest() == entry[digest]
                named.add(entry["file"])
        assert named == {str(path.relative_to("out")) for path in Path("out/test").rglob("*.png")}

    def test_several_kinds_and_mixtures_say_what_they_are(self, workspace: Path, run) -> None:
        assert run("degrade", "pairs", "both", "haze+stripes", "--level", "[2, 4]").status == 0
        told = json.loads(Path("both/manifest.json").read_text())
        assert (told["kind"], told["level"], told["degrade"]) == ("haze+stripes", [2, 4], "both")
        assert [entry.get("density", entry.get("sigma")) for entry in told["arguments"]] == [1.2, 30]
        assert run("degrade", "pairs", "any", "random").status == 0
        told = json.loads(Path("any/manifest.json").read_text())
        assert (told["kind"], told["level"]) == ("random", None)
        assert told["arguments"] == {"kinds": None, "count": [1, 2], "clean": 0.0, "local": 0.0}

    def test_local_kinds_and_one_source_say_what_they_are(self, workspace: Path, run) -> None:
        assert run("degrade", "pairs", "out", "local+blur", "--level", 2, "--degrade", "one").status == 0
        told = json.loads(Path("out/manifest.json").read_text())
        assert (told["kind"], told["level"], told["degrade"]) == ("local+blur", 2, "one")
        kind = {"class_path": "dream_if.data.degradations.Blur", "init_args": told["arguments"]["kind"]["init_args"]}
        assert told["arguments"] == {"kind": kind, "shape": None, "share": [0.1, 0.5]}
        assert (kind["init_args"]["sigma"], kind["init_args"]["size"]) == (1.8, 21)

    def test_a_source_that_a_kind_does_not_apply_to_is_left_as_it_is(self, workspace: Path, run) -> None:
        for kind, left in (("haze", "ir"), ("stripes", "vi")):
            assert run("degrade", "pairs", kind, kind).status == 0
            assert json.loads(Path(kind, "manifest.json").read_text())["degrade"] != "both"
            clean, written = pixels(workspace / "pairs"), pixels(workspace / kind)
            for name in clean:
                assert (clean[name] == written[name]).all() == name.startswith(left)

    def test_the_same_command_writes_the_same_bytes(self, workspace: Path, run, files_below) -> None:
        for out in ("one", "two"):
            assert run("degrade", "pairs", out, "speckle", "--level", 2).status == 0
        assert files_below(Path("one")) == files_below(Path("two"))
        for name in files_below(Path("one")):
            assert Path("one", name).read_bytes() == Path("two", name).read_bytes()

    def test_a_level_is_kept_with_its_arguments(self, workspace: Path, run) -> None:
        assert run("degrade", "pairs", "out", "poisson", "--level", 2).status == 0
        manifest = json.loads(Path("out/manifest.json").read_text())
        assert (manifest["level"], manifest["arguments"]) == (2, {"log10_peak": 2.5})
        data = yaml.safe_load(Path("out/test.yaml").read_text())["data"]
        assert data["test_degradation"]["init_args"]["kind"]["init_args"] == {"log10_peak": 2.5}

    def test_the_folder_has_nothing_wrong(self, workspace: Path, run) -> None:
        assert run("degrade", "pairs", "out", "resize").status == 0
        assert run("check", "out").status == 0


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("fog",), "kind: there is no degradation 'fog'; expected one of gaussian, poisson"),
            (("haze+fog",), "there is no degradation 'fog' of haze+fog"),
            (("haze+haze",), "kind: expected each kind once, got haze+haze"),
            (("haze+gaussian", "--level", "[1, 2, 3]"), "level: expected one, or one for each of haze, gaussian"),
            (("haze+gaussian", "--level", "[1, 5]"), "GaussianNoise: expected a level from 1 to 4, got 5"),
            (("haze+gaussian", "--arguments", "{sigma: 3}"), "arguments: several kinds are meant by level"),
            (("haze", "--degrade", "infrared"), "source: haze applies to the visible source alone, got infrared"),
            (("haze+stripes", "--degrade", "visible"), "source: stripes applies to the infrared source alone"),
            (("haze", "--degrade", "one"), "source: haze applies to the visible source alone, got one"),
            (("local+shift",), "there is no degradation 'shift' of local+shift"),
            (("local",), "there is no degradation 'local'"),
            (("random", "--level", 3), "level: random has no levels"),
            (("local+random", "--level", 3), "level: local+random has no levels"),
            (("random", "--arguments", "{clear: 1}"), "expected some of kinds, count, clean, local"),
            (("shift",), "arguments: missing a required argument: 'pixels'"),
            (("shift", "--level", 3), "level: shift has no levels"),
            (("shift", "--arguments", "{pixels: 3}", "--degrade", "visible"), "source: shift applies to the infrared"),
            (("shift", "--arguments", "{pixels: 40}"), "Shift.pixels: expected fewer than the 40 columns"),
            (("gaussian", "--seed", "abc"), "seed"),
            (("rain", "--level", 5), "Rain: expected a level from 1 to 4, got 5"),
            (("rain", "--level", 0), "Rain: expected a level from 1 to 4, got 0"),
            (
                ("rain", "--level", 2, "--arguments", "{density: 3}"),
                "level: a level stands for arguments; give either one",
            ),
            (
                ("gaussian", "--arguments", "{sgima: 3}"),
                "arguments: got an unexpected keyword argument 'sgima' for GaussianNoise",
            ),
            (("gaussian", "--arguments", "{sgima: 3}"), "expected some of sigma"),
            (("gaussian", "--arguments", "{sigma: -3}"), "GaussianNoise.sigma: expected values at least 0"),
            (("gaussian", "--arguments", "{sigma: many}"), "GaussianNoise.sigma: expected one finite number"),
            (("gaussian", "--layout", "flir"), "unknown layout 'flir'"),
            (("gaussian", "--layout", "scenes"), "layout is scenes"),
            (("gaussian", "--seed", -1), "seed: expected a whole number from 0 up"),
            (("gaussian", "--degrade", "neither"), "degrade"),
        ],
        ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
    )
    def test_of_settings(self, workspace: Path, run, files_below, options: tuple, message: str) -> None:
        before = files_below(workspace)
        assert message in run("degrade", "pairs", "out", *options).message
        assert files_below(workspace) == before

    def test_a_set_that_is_not_there(self, workspace: Path, run) -> None:
        assert "nowhere: no such folder" in run("degrade", "nowhere", "out", "gaussian").message

    def test_a_prepared_set_has_no_files_to_tell_of(self, workspace: Path, run) -> None:
        assert run("prepare", "pairs", "packed").status == 0
        assert "packed: is a prepared set" in run("degrade", "packed", "out", "gaussian").message

    def test_a_folder_in_use(self, workspace: Path, run, files_below) -> None:
        before = files_below(workspace)
        assert "found one in use" in run("degrade", "pairs", "pairs", "gaussian").message
        assert files_below(workspace) == before

    def test_a_damaged_image_leaves_nothing(self, workspace: Path, run, files_below) -> None:
        Path("pairs/test/ir/test_02.png").write_bytes(b"no image")
        before = files_below(workspace)
        assert "test_02.png: not a picture of a known format" in run("degrade", "pairs", "out", "gaussian").message
        assert files_below(workspace) == before
