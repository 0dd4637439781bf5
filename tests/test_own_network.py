"""What docs/own_network.md shows, run as it stands there, and what is refused."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from dream_if.errors import InputError
from dream_if.export.graph import ExportedFusion, trace
from dream_if.inference import load_network
from dream_if.messages import explain
from dream_if.models import ForeignNetwork, FusionOutput
from tests.versions import EXPORT

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs/own_network.md").read_text()
NAMED = re.compile(r"`([\w.]+)`(?: uses them, beside ours| names)?:\n\n```\w+\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one, with the files of the page; modules of other tests are forgotten."""
    for name in ("mine", "parts"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name, content in NAMED.findall(PAGE):
        (workspace / name).write_text(content)
    (workspace / "pairs").rename(workspace / "others")
    return workspace


def test_the_page_has_these_files(folder: Path) -> None:
    assert {"mine.py", "mine.yaml", "table.yaml", "parts.py", "parts.yaml"} <= {path.name for path in folder.iterdir()}


def test_every_command_of_the_page(run, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """But `export`, which takes a minute; `TestOurExamples` traces networks."""
    for block in COMMANDS.findall(PAGE):
        for line in block.splitlines():
            given = line.split("dream-if ", 1)[1]
            if given.startswith("export"):
                continue
            small = "--size [48,64]" if given.startswith("scenes") else ""
            cpu = "--trainer.accelerator cpu" if given.startswith("fit") else ""
            outcome = run(*shlex.split(f"{given} {small} {cpu}"))
            assert outcome.status == 0, f"{line}\n{outcome.err}"
            assert "--trust-code" in outcome.out or not given.startswith("publish")
    assert "The network has 515 parameters" in caplog.text
    runs = folder / "runs/dream-if"
    first = json.loads((runs / "version_0/metrics.json").read_text())
    assert first["test"]["metrics"]["test/scenes/Qabf"] > 0
    resumed = json.loads((runs / "version_1/metrics.json").read_text())
    assert resumed["fit"]["steps"] == 2 * first["fit"]["steps"]
    narrow = torch.load(runs / "version_2/checkpoints/last.ckpt", weights_only=True)
    assert narrow["hyper_parameters"]["net"] == {"class_path": "mine.Net", "init_args": {"width": 4}}
    assert narrow["state_dict"]["net.net.layers.0.weight"].shape == (4, 4, 3, 3)
    mixed = json.loads((runs / "version_3/metrics.json").read_text())
    assert mixed["test"]["metrics"]["test/pairs/spread"] > 0
    assert "| mine" in (folder / "runs/tables/table1.md").read_text()


def test_a_configuration_in_another_folder_names_classes_of_this_one(run, folder: Path) -> None:
    (folder / "settings").mkdir()
    (folder / "mine.yaml").rename(folder / "settings/mine.yaml")
    outcome = run("fit", "--config", "settings/mine.yaml", "--print_config")
    assert outcome.status == 0, outcome.err
    assert "mine.Net" in outcome.out


def test_foreign_code_is_not_imported_unasked(run, folder: Path) -> None:
    (folder / "mine.py").write_text("open('imported', 'w')\n")
    net = {"class_path": "mine.Net", "init_args": {"width": 8}}
    torch.save({"hyper_parameters": {"net": net}, "state_dict": {}}, folder / "best.ckpt")
    for name in ("a.png", "b.png"):
        (folder / name).touch()
    for args in (
        ("fuse", "a.png", "b.png", "-o", "c.png", "--weights", "best.ckpt"),
        ("test", "--ckpt_path", "best.ckpt"),
        ("fit", "--config", "tiny.yaml", "--start_from", "best.ckpt"),
    ):
        message = run(*args).message
        assert "its network is mine.Net, code that is not part of dream-if" in message, args
        assert "--trust-code" in message
    assert not (folder / "imported").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model.net.widht", "3"], "there is no setting"),
        (["--model.net", "mine.Nothing"], "Nothing"),
        (["--model.net", "nowhere.Net"], "nowhere"),
        (["--model.metrics", "[mine.Nothing]"], "metric mine.Nothing: cannot be imported"),
        (["--data.layout", "foldr"], "data.layout"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistake_ends_in_words_for_users(run, args: list[str], message: str) -> None:
    said = run("fit", "--config", "mine.yaml", *args).message
    assert message in said
    assert "set_parsing_settings" not in said
    assert "Subtypes" not in said


def test_a_checkpoint_of_another_network_is_refused(run, folder: Path) -> None:
    assert run("fit", "--config", "mine.yaml", "--trainer.accelerator", "cpu").status == 0
    settings = yaml.safe_load((folder / "tiny.yaml").read_text()) | {"data": {"layout": "scenes"}}
    (folder / "ours.yaml").write_text(yaml.safe_dump(settings))
    checkpoint = "runs/dream-if/version_0/checkpoints/last.ckpt"
    message = run("test", "--config", "ours.yaml", "--ckpt_path", checkpoint).message
    assert f"it is DreamIF in the configuration and mine.Net in {checkpoint}" in message


@pytest.mark.parametrize(
    "hint",
    [
        "Only its init args. To accept subclasses use set_parsing_settings(subclasses_enabled=[Net]).",
        "Importing 'os' is denied. Add it to import_path_allowlist in set_parsing_settings to allow it.",
    ],
)
def test_hints_for_developers_are_left_out(hint: str) -> None:
    assert explain(hint).strip() == hint.split(". ")[0] + "."


class Shapes(nn.Module):
    """Returns the images that it is told to, and notes the size of what it gets."""

    step = 8

    def __init__(self, form: str = "image") -> None:
        super().__init__()
        self.form = form

    def forward(self, visible: torch.Tensor, infrared: torch.Tensor) -> object:
        self.seen = tuple(visible.shape[-2:])
        half = infrared[..., ::2, ::2]
        return {
            "image": visible,
            "grey": infrared,
            "tuple": (visible, "more"),
            "maps": FusionOutput(visible, (infrared, half), (1 - infrared, 1 - half)),
            "small": half,
            "text": "image",
        }[self.form]


class TestWrapped:
    @pytest.mark.parametrize("form", ["image", "grey", "tuple", "maps"])
    def test_gives_an_image_of_the_sources_size(self, form: str) -> None:
        net = ForeignNetwork.made(f"{__name__}.Shapes", form=form)
        visible, infrared = torch.rand(2, 3, 21, 30), torch.rand(2, 1, 21, 30)
        found = net(visible, infrared)
        assert net.net.seen == (24, 32)
        assert torch.equal(found.fused, infrared.expand(-1, 3, -1, -1) if form == "grey" else visible)
        if form == "maps":
            assert torch.equal(found.dominance_visible[0], infrared)
            assert found.dominance_infrared[1].shape == (2, 1, 11, 15)

    @pytest.mark.parametrize("form", ["small", "text"])
    def test_refuses_anything_else(self, form: str) -> None:
        net = ForeignNetwork.made(f"{__name__}.Shapes", form=form)
        with pytest.raises(InputError, match="expected an image"):
            net(torch.rand(1, 3, 24, 24), torch.rand(1, 1, 24, 24))

    def test_keeps_what_it_was_made_of(self) -> None:
        assert ForeignNetwork.made(f"{__name__}.Shapes").config["init_args"] == {"form": "image"}
        with pytest.raises(InputError, match="cannot be made"):
            ForeignNetwork.made(f"{__name__}.Shapes", from_="image")


@pytest.mark.parametrize("name", ["unet.UNet", "nafnet.NAFNet"])
class TestOurExamples:
    @EXPORT
    def test_train_and_export(self, name: str) -> None:
        module = name.split(".")[0]
        settings = yaml.safe_load((REPOSITORY / f"experiments/networks/{module}.yaml").read_text())["model"]["net"]
        assert settings["class_path"] == f"experiments.networks.{name}"
        net = ForeignNetwork.made(settings["class_path"], width=4)
        visible, infrared = torch.rand(2, 3, 37, 50), torch.rand(2, 1, 37, 50)
        net(visible, infrared).fused.mean().backward()
        missed = [key for key, value in net.named_parameters() if value.grad is None or not value.grad.isfinite().all()]
        assert not missed
        net.eval()
        exported = trace(net).module()
        with torch.no_grad():
            for sources in ((visible, infrared), (visible[:1, :, :16, :19], infrared[:1, :, :16, :19])):
                wanted = ExportedFusion(net)(*sources)[0]
                assert torch.allclose(exported(*sources)[0], wanted, atol=1e-5)

    def test_a_file_is_short(self, name: str) -> None:
        text = (REPOSITORY / f"experiments/networks/{name.split('.')[0]}.py").read_text()
        assert len(text.splitlines()) < 100


def test_weights_of_another_class_are_refused(folder: Path) -> None:
    net = {"class_path": "mine.Net", "init_args": {"width": 8}}
    torch.save({"hyper_parameters": {"net": net}, "state_dict": {"net.x": torch.ones(1)}}, folder / "best.ckpt")
    sys.path.append("")
    with pytest.raises(InputError, match=r"best.ckpt: its settings and weights are not those of mine.Net"):
        load_network(folder / "best.ckpt", trust_code=True)
