"""Which network is meant: names, folders, checkpoints, the hub, and everything that is none of them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dream_if.errors import InputError
from dream_if.inference import load_network
from dream_if.inference.weights import digest
from dream_if.models import DreamIF
from dream_if.models.shipped import SHIPPED, shipped


def same(one: DreamIF, other: DreamIF) -> bool:
    weights, others = one.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def checkpoint(net: DreamIF) -> dict:
    state = {f"net.{name}": tensor for name, tensor in net.state_dict().items()} | {"loss.window": torch.ones(3)}
    return {"hyper_parameters": {"net": net.config}, "state_dict": state, "epoch": 3}


def test_a_folder(net, weights):
    loaded = load_network(weights)
    assert same(loaded, net)
    assert not loaded.training
    assert same(load_network(str(weights)), net)


def test_a_checkpoint(net, tmp_path):
    torch.save(checkpoint(net), tmp_path / "best.ckpt")
    assert same(load_network(tmp_path / "best.ckpt"), net)


def test_shipped_weights_by_name_and_by_file(net, tmp_path):
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / "tiny.safetensors")
    (tmp_path / "tiny.json").write_text(json.dumps({"net": net.config, "data": "none"}))
    (tmp_path / "alone.safetensors").write_bytes(b"")
    assert shipped(tmp_path) == ["tiny"]
    assert same(load_network("tiny", folder=tmp_path), net)
    assert same(load_network(tmp_path / "tiny.safetensors"), net)


def test_a_file_may_be_named_without_its_ending(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / "v1.2.safetensors")
    (tmp_path / "v1.2.json").write_text(json.dumps({"net": net.config}))
    (tmp_path / "empty").mkdir()
    for name in ("v1.2", "./v1.2", tmp_path / "v1.2"):
        assert same(load_network(name, folder=tmp_path / "empty"), net)
    (tmp_path / "v1.2").mkdir()
    with pytest.raises(InputError, match=r"v1\.2: has no config.json"):
        load_network("v1.2", folder=tmp_path / "empty")


@pytest.mark.parametrize("given", [None, 3, torch.nn.Linear(2, 2)])
def test_what_names_no_weights(given):
    with pytest.raises(InputError, match=rf"weights: expected a name, .* got {type(given).__name__}\.$"):
        load_network(given)


def test_half_precision_on_disk_is_float32_in_memory(net, tmp_path):
    save_file(
        {name: tensor.bfloat16().contiguous() for name, tensor in net.state_dict().items()},
        tmp_path / "tiny.safetensors",
    )
    (tmp_path / "tiny.json").write_text(json.dumps({"net": net.config}))
    assert {tensor.dtype for tensor in load_network("tiny", folder=tmp_path).state_dict().values()} == {torch.float32}


def test_the_hub_is_asked_for_what_looks_like_one_of_its_ids(net, monkeypatch):
    asked = []

    def from_pretrained(name: str) -> DreamIF:
        asked.append(name)
        return net

    monkeypatch.setattr(DreamIF, "from_pretrained", from_pretrained)
    assert load_network("someone/dream-if-small") is net
    assert asked == ["someone/dream-if-small"]

    def absent(name: str) -> DreamIF:
        raise OSError(f"404: {name}\nand much more")

    monkeypatch.setattr(DreamIF, "from_pretrained", absent)
    with pytest.raises(InputError, match=r"hub says: 404: someone/nothing$"):
        load_network("someone/nothing")


@pytest.mark.parametrize("name", ["large", "runs/no/such/best.ckpt", "./missing"])
def test_what_is_not_there(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(InputError, match="no shipped weights of this name"):
        load_network(name, folder=tmp_path)


class TestDamaged:
    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(InputError, match=r"has no config.json and no model.safetensors"):
            load_network(tmp_path)

    def test_a_folder_with_half_a_file(self, net, tmp_path):
        net.save_pretrained(tmp_path)
        whole = (tmp_path / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(whole[:1000])
        with pytest.raises(InputError, match="damaged"):
            load_network(tmp_path)

    def test_a_folder_of_another_network(self, net, tiny_net, tmp_path):
        net.save_pretrained(tmp_path)
        (tmp_path / "config.json").write_text(json.dumps(tiny_net | {"dim": 8}))
        with pytest.raises(InputError, match="not those of one DreamIF network"):
            load_network(tmp_path)
        (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 8}))
        with pytest.raises(InputError, match="not those of one DreamIF network"):
            load_network(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04" + bytes(100)])
    def test_a_file_that_is_no_checkpoint(self, content, tmp_path):
        (tmp_path / "best.ckpt").write_bytes(content)
        with pytest.raises(InputError, match="not a checkpoint of dream-if"):
            load_network(tmp_path / "best.ckpt")

    def test_a_checkpoint_of_something_else(self, tmp_path):
        torch.save({"state_dict": {"weight": torch.ones(2)}}, tmp_path / "best.ckpt")
        with pytest.raises(InputError, match="not a checkpoint of dream-if"):
            load_network(tmp_path / "best.ckpt")


class Touching:
    """Its pickle makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_a_checkpoint_is_not_run(net, tmp_path, run):
    made, path = tmp_path / "made", tmp_path / "best.ckpt"
    torch.save(checkpoint(net) | {"more": Touching(made)}, path)
    torch.load(path, weights_only=False)
    made.unlink()  # so it would run
    with pytest.raises(InputError, match="not a checkpoint of dream-if"):
        load_network(path)
    for verb in ("fit", "validate", "test", "predict"):
        assert "not a checkpoint of dream-if" in run(verb, "--ckpt_path", path).message
    assert not made.exists()


def test_a_loaded_network_does_not_live_in_its_file(net, tmp_path):
    torch.save(checkpoint(net), tmp_path / "best.ckpt")
    loaded = load_network(tmp_path / "best.ckpt")
    size = (tmp_path / "best.ckpt").stat().st_size
    with (tmp_path / "best.ckpt").open("r+b") as file:
        file.write(bytes(size))
    assert same(loaded, net)


def test_the_digest_of_the_shipped_weights_is_that_in_their_json():
    known = json.loads((SHIPPED / "small.json").read_text())["digest"]
    assert digest(load_network("small")) == known


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(net, tmp_path, wrong):
    held = checkpoint(net)
    name = next(iter(held["state_dict"]))
    held["state_dict"][name] = torch.full_like(held["state_dict"][name], wrong)
    torch.save(held, tmp_path / "best.ckpt")
    with pytest.raises(InputError, match=rf"hold NaN or infinity, first {name.removeprefix('net.')}; its training has"):
        load_network(tmp_path / "best.ckpt")


@pytest.mark.parametrize("wrong", [{"num_blocks": [4_000_000, 1, 1, 1]}, {"dim": 2_000_000}, {"num_blocks": "many"}])
def test_settings_that_would_take_all_memory(net, tmp_path, wrong):
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / "huge.safetensors")
    (tmp_path / "huge.json").write_text(json.dumps({"net": net.config | wrong}))
    with pytest.raises(InputError, match="are not those of one DreamIF network"):
        load_network(tmp_path / "huge.safetensors")


def test_the_digest_is_of_the_network_not_of_the_file(net, weights, tmp_path):
    torch.save(checkpoint(net), tmp_path / "best.ckpt")
    assert digest(load_network(weights)) == digest(load_network(tmp_path / "best.ckpt"))
    other = load_network(weights)
    with torch.no_grad():
        other.encoder.embed.weight[0, 0, 0, 0] += 1e-6
    assert digest(other) != digest(net)
