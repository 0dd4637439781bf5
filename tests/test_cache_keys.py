"""Hashes of foreign classes: whatever may change a result changes the key of its score."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from dream_if import cache_keys
from dream_if.cache_keys import package_digest, state_digest
from dream_if.errors import InputError
from dream_if.methods.method import PairId
from dream_if.methods.restorers import make_restorer
from dream_if.methods.rows import make_method

CPU = torch.device("cpu")
PLACE = PairId("road", "clean", "0001")


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`imported(name, source)` writes a module into the current folder, to be imported anew."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, source: str) -> None:
        Path(f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


def key_of(class_path: str, **init_args: object) -> str:
    return make_method("m", {"class_path": class_path, "init_args": init_args}, CPU).key(PLACE)


@pytest.mark.parametrize(
    "change",
    [lambda w: w.flip(-1), lambda w: w.transpose(0, 1), lambda w: w + 1e-7],
    ids=["flipped", "transposed", "nudged"],
)
def test_every_byte_of_a_kernel_counts(change: Callable[[Tensor], Tensor]) -> None:
    """Flipped and permuted kernels have the sum and the sum of squares of the first."""
    torch.manual_seed(0)
    layer, other = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
    other.load_state_dict(layer.state_dict())
    assert state_digest(layer) == state_digest(other)
    other.weight.data = change(layer.weight.data).contiguous()
    assert state_digest(layer) != state_digest(other)


def test_dtypes_and_shapes_count() -> None:
    found = {
        state_digest(nn.ParameterDict({"w": nn.Parameter(value, requires_grad=False)}))
        for value in (
            *(torch.zeros(4), torch.zeros(2, 2), torch.zeros(())),
            *(torch.zeros(4, dtype=dtype) for dtype in (torch.int32, torch.bfloat16, torch.bool)),
        )
    }
    assert len(found) == 6  # of the same bytes, or fewer of them


class Remembering(nn.Module):
    def __init__(self, told: object) -> None:
        super().__init__()
        self.told = told

    def get_extra_state(self) -> object:
        return {"told": self.told, "all": [torch.ones(2), object()]}

    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        return visible


def test_what_a_network_keeps_beside_tensors_counts() -> None:
    assert state_digest(Remembering(1)) == state_digest(Remembering(1))
    assert state_digest(Remembering(1)) != state_digest(Remembering(2))
    assert key_of(f"{__name__}.Remembering", told=3)


def test_a_network_within_an_object_or_a_closure_counts(imported: Callable[..., None]) -> None:
    imported(
        "foreign_holder",
        "import torch\n\n"
        "class Holder:\n"
        "    def __init__(self):\n        self.net = torch.load('w.pt')\n"
        "    def __call__(self, visible, infrared):\n        return visible * self.net\n\n"
        "def closed():\n    net = torch.load('w.pt')\n"
        "    def fuse(visible, infrared):\n        return visible * net\n    return fuse\n",
    )
    keys = []
    for value in (1.0, 1.0, 0.5):
        torch.save(torch.tensor(value), "w.pt")
        keys.append((key_of("foreign_holder.Holder"), key_of("foreign_holder.closed")))
    assert keys[0] == keys[1]
    assert keys[0][0] != keys[2][0]
    assert keys[0][1] != keys[2][1]


@pytest.mark.parametrize("returned", ["lambda visible, infrared: visible * {}", "foreign_other.Thing({})"])
def test_the_file_of_a_factory_counts(imported: Callable[..., None], returned: str) -> None:
    """What it returns is a function of its own, or of a class that stands elsewhere."""
    imported("foreign_other", "class Thing:\n    __call__ = lambda *_: None\n    def __init__(self, _): pass\n")
    keys = []
    for value in (1, 1, 2):
        imported(
            "foreign_factory",
            f"import foreign_other\n\n\ndef make():\n    return {returned.format(f'{value:03d}.0')}\n",
        )
        keys.append(key_of("foreign_factory.make"))
    assert keys[0] == keys[1] != keys[2]
    before = keys[2]
    imported("foreign_other", "# changed\nclass Thing:\n    __call__ = lambda *_: 1\n    def __init__(self, _): pass\n")
    imported("foreign_factory", Path("foreign_factory.py").read_text())
    assert (key_of("foreign_factory.make") != before) == ("Thing" in returned)


RESTORER = """
import torch


class Net(torch.nn.Module):
    def __init__(self, weights="w.pt"):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.load(weights))

    def forward(self, image):
        return image * self.gain


class Lazy:
    def __init__(self, weights):
        self.weights = weights

    def __call__(self, image):
        return image * torch.load(self.weights)
"""


@pytest.mark.parametrize("given", [("Net", {}), ("Net", {"weights": "w.pt"}), ("Lazy", {"weights": "w.pt"})], ids=str)
def test_the_weights_of_a_restorer_count(imported: Callable[..., None], given: tuple[str, dict]) -> None:
    imported("foreign_cleaner", RESTORER)
    name, init_args = given
    keys = []
    for value in (1.0, 1.0, 0.5):
        torch.save(torch.tensor(value), "w.pt")
        chosen = {"class_path": f"foreign_cleaner.{name}", "init_args": init_args}
        keys.append(make_restorer(chosen, "restore", CPU).key_at(PLACE))
    assert keys[0] == keys[1] != keys[2]


def test_a_packages_digest_covers_every_file_of_it(tmp_path: Path) -> None:
    package = ModuleType("package")
    package.__file__ = str(tmp_path / "__init__.py")
    (tmp_path / "inner").mkdir()
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "inner" / "a.py").write_text("x = 1")
    before = package_digest([package])
    assert before == package_digest([package])
    (tmp_path / "inner" / "a.py").write_text("x = 2")
    assert package_digest([package]) != before


class Unready(nn.Module):
    def get_extra_state(self) -> object:
        raise KeyError("not yet")


@pytest.mark.parametrize(
    "made",
    [nn.Linear(2, 2, device="meta"), nn.LazyLinear(2), nn.ParameterList([torch.eye(3).to_sparse()]), Unready()],
    ids=lambda made: type(made).__name__,
)
def test_what_cannot_be_read_is_refused(made: nn.Module) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        state_digest(made)


def test_our_own_mistake_is_not_taken_for_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_keys, "_take", len)  # called with two arguments, a TypeError
    with pytest.raises(TypeError):
        state_digest(nn.Linear(2, 2))
