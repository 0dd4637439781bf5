"""Names of configurations and sweeps, from a folder that has none."""

import sys
from pathlib import Path

import pytest

from dream_if.cli import main
from dream_if.shipped import find, names, with_shipped
from dream_if.user_code import imported

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_file_of_the_repository_has_a_name() -> None:
    for folder in ("experiments", "sweeps"):
        assert len(names(folder)) == len(list((ROOT / folder).rglob("*.yaml")))
        for name in names(folder):
            assert Path(find(name, folder)).read_bytes() == (ROOT / folder / f"{name}.yaml").read_bytes()


def test_a_file_of_the_user_comes_first(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("mine")
    assert with_shipped(["fit", "--config", "small"]) == ["fit", "--config", "small"]


def test_names_become_paths() -> None:
    words = with_shipped(["fit", "-c", "small", "--config=ablation/rd", "--config", "experiments/full.yaml", "small"])
    paths = [str(ROOT / f"experiments/{name}.yaml") for name in ("small", "ablation/rd", "full")]
    assert words == ["fit", "-c", paths[0], f"--config={paths[1]}", "--config", paths[2], "small"]


def test_a_wrong_name_is_told_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "smal"]) == 2
    assert "smal: neither a file nor one of ours, which are ablation/base, " in capsys.readouterr().err
    assert main(["sweep", "tabel4"]) == 2
    assert "which are dominance, losses, networks, table4, table4_controls." in capsys.readouterr().err


def test_settings_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "demo", "--config", "ablation/rd", "--print_config"]) == 0
    assert "use_ce: false" in capsys.readouterr().out


def test_a_sweep_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "table4", "--index", "3", "--dry-run", "--", "--data.layout=scenes", "--data.root=null"]) == 0
    assert "--config=experiments/ablation/rd.yaml --seed_everything=0" in capsys.readouterr().out


def test_a_plan_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "1", "tables/folders"]) == 2
    assert "tables/folders.yaml: none of its sets is present" in capsys.readouterr().err


def test_a_network_of_ours_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [place for place in sys.path if Path(place).resolve() != ROOT])
    for name in [name for name in sys.modules if name.split(".")[0] == "experiments"]:
        monkeypatch.delitem(sys.modules, name)
    assert imported("experiments.networks.unet.UNet").__name__ == "UNet"
    assert str(ROOT) not in sys.path


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    import dream_if

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dream-if {dream_if.__version__}\n"
    assert set(dir(dream_if)) == {"__version__", "fuse"}
