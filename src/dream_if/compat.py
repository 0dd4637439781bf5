"""Private names of libraries that have no public equivalent; each has a test in tests/test_compat.py."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch

from dream_if.errors import InputError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = [
    "computing_nothing",
    "describe_epochs",
    "drop_guards",
    "hub_settings",
    "multiplies_bfloat16",
    "sizes_stay_free",
    "unscales_by_itself",
    "verb_settings",
]


def multiplies_bfloat16() -> bool:
    """Whether this machine's processor has instructions for bfloat16. Seen in torch 2.15."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def sizes_stay_free() -> AbstractContextManager[Any]:
    """Within, a trace asks no question of free sizes that it can do without. Seen in torch 2.15.

    Raises:
        InputError: This torch is too old for it.
    """
    tracing: Any = torch.fx.experimental._config
    if not hasattr(tracing, "backed_size_oblivious"):
        raise InputError(f"export needs a newer torch than {torch.__version__}; pip install --upgrade torch")
    return tracing.patch(backed_size_oblivious=True)


def computing_nothing() -> AbstractContextManager[Any]:
    """Within, operations find shapes and devices of results alone, without memory for them. Seen in torch 2.15."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # for one table alone

    return FakeTensorMode(allow_non_fake_inputs=True)


def drop_guards(program: "ExportedProgram", text: str) -> None:
    """Have a traced program no longer refuse inputs by the guards with this text in them. Seen in torch 2.15."""
    program._guards_code = [guard for guard in getattr(program, "_guards_code", []) if text not in guard]


def hub_settings(model: Any) -> dict[str, Any]:
    """The constructor's arguments that a `PyTorchModelHubMixin` has noted. Seen in huggingface-hub 1.x."""
    return model._hub_mixin_config


def verb_settings(cli: Any) -> Iterable[str]:
    """Names of all settings of a verb of a `LightningCLI`. Seen in lightning 2.6."""
    return next(iter(cli._subcommand_parsers.values())).get_defaults().keys()


def unscales_by_itself(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a step of this optimizer divides float16's gradients by their scale, as fused ones do. In torch 2.15."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def describe_epochs(bar: Any, describe: Callable[[int], str]) -> None:
    """Have Lightning's bar call an epoch, which it counts from 0, as this function does. Seen in lightning 2.6."""
    bar._get_train_description = describe
