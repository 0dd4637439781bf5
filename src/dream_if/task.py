"""`FusionTask`: how a fusion network is trained, validated, tested and used, as a LightningModule."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypedDict

import torch
from jsonargparse.typing import restricted_number_type
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType, rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from torchmetrics import MeanMetric

from dream_if.baselines import BASELINES
from dream_if.compat import unscales_by_itself
from dream_if.dominance_statistics import STATISTICS, ShuffledMaps, dominance_statistics
from dream_if.errors import InputError
from dream_if.losses import ForeignLoss, FusionLoss
from dream_if.metrics import TABLE_METRICS, find_metric, fusion_metrics
from dream_if.models import DreamIF, ForeignNetwork, FusionOutput, check_finite
from dream_if.models.foreign import check_trust

__all__ = ["SHUFFLED", "Batch", "FusionTask", "adamw"]

SHUFFLED = "shuffled"
"""The network with dominance maps of other images, among what a test compares with."""

if TYPE_CHECKING:
    Share: TypeAlias = float
else:  # checked as settings are read, in a dry run too
    Share = restricted_number_type("Share", float, [(">=", 0), ("<", 1)])


class Batch(TypedDict):
    """What the datamodule hands over; shapes and ranges are told in `dream_if.data.pairs`."""

    visible: Tensor
    infrared: Tensor
    visible_clean: Tensor
    infrared_clean: Tensor
    visible_degradation: Tensor
    infrared_degradation: Tensor
    index: Tensor
    name: list[str]


class Shown(TypedDict):
    """What a step hands to callbacks that draw.

    ``fused`` holds an image (B, 3, H, W) for each method, the network's under "fused"; ``dominance_visible`` the
    network's maps by level; ``statistics`` what they say, (B,) by name, if that was asked for; ``scores``, in tests
    alone, each method's metrics by name, (B,).
    """

    fused: dict[str, Tensor]
    dominance_visible: tuple[Tensor, ...]
    statistics: dict[str, Tensor]
    scores: dict[str, dict[str, Tensor]]


def adamw(params: Any) -> torch.optim.AdamW:
    """The paper's optimizer: AdamW, learning rate 3e-4, betas (0.9, 0.95), weight decay 0.05."""
    return torch.optim.AdamW(params, lr=3e-4, betas=(0.9, 0.95), weight_decay=0.05)


class FusionTask(LightningModule):
    """Trains a network to fuse possibly degraded sources towards the clean ones.

    Logged are ``train/loss`` and each of its terms, ``val/<metric>``, and ``test/<set>/<metric>`` for the network and
    ``test/<set>/<method>/<metric>`` for what it is compared with. Metrics always compare with the clean sources.

    Args:
        net: the fusion network: `DreamIF`, or any other module as a `ForeignNetwork`; the command line wraps it.
        loss: the training objective: `FusionLoss`, by default, or any other module that `ForeignLoss` can wrap.
        optimizer: from parameter groups to an optimizer; norms and biases get no weight decay.
        warmup: share of all steps over which the learning rate rises from a hundredth to its full value.
        final_lr: what a cosine lets it fall to by the last step, as a share of its full value.
        metrics: the metrics computed when validating and testing, as `dream_if.metrics.find_metric` takes them.
        compare: what `test` scores beside the network, on the same inputs: names of `dream_if.baselines.BASELINES`, and
            ``shuffled``, the network with maps of other images (`dream_if.dominance_statistics.ShuffledMaps`).
        dominance_statistics: when validating and testing, also log what the dominance maps say
            (`dream_if.dominance_statistics.STATISTICS`). Takes a second pass of the network, over the clean sources.
        compile: run the network through ``torch.compile``. The first batch then takes minutes, and so does the first of
            another size, after which sizes are free; training and evaluating each pay for that. A string is one of its
            modes: "reduce-overhead" has a GPU replay whole steps, which helps where the batch is small.
        recompute: in training, keep no features within Restormer blocks but compute them again for the gradient: less
            memory for about a third more time.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: nn.Module | None = None,
        optimizer: OptimizerCallable = adamw,
        warmup: Share = 0.02,
        final_lr: float = 0.01,
        metrics: Sequence[str] = TABLE_METRICS,
        compare: Sequence[str] = ("average", "maximum", "laplacian"),
        dominance_statistics: bool = False,
        compile: bool | Literal["reduce-overhead", "max-autotune"] = False,  # noqa: A002  (torch's word for it)
        recompute: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= warmup < 1:
            raise InputError(f"warmup is a share of all steps, 0 or more and below 1, got {warmup}.")
        unknown = set(compare) - set(BASELINES) - {SHUFFLED}
        if unknown:
            raise InputError(f"compare takes {', '.join(BASELINES)}, {SHUFFLED}; got {', '.join(sorted(unknown))}.")
        if not isinstance(net, DreamIF | ForeignNetwork):
            self.save_hyperparameters("net")  # class_path and init_args, if the command line made it
            if isinstance(self.hparams["net"], nn.Module):
                path = f"{type(net).__module__}.{type(net).__qualname__}"
                raise InputError(
                    f"net is a {path}: give ForeignNetwork.made({path!r}, ...), so that a checkpoint can tell how to "
                    "make it again."
                )
            net = ForeignNetwork(net, self.hparams["net"])
        # Plain values alone, so that a checkpoint loads with weights_only; the rest stands in the run's config.yaml.
        held = {"net": net.config, "_instantiator": "lightning.pytorch.cli.instantiate_module"}
        self.save_hyperparameters(held, logger=False)  # loggers get every setting from RunConfig
        self.net = net
        self.loss = FusionLoss() if loss is None else (loss if isinstance(loss, FusionLoss) else ForeignLoss(loss))
        self.optimizer = optimizer
        self.warmup = float(warmup)
        self.final_lr = final_lr
        net.recompute_blocks(recompute)
        self.compile_mode = compile
        self.metric_names = tuple(map(find_metric, metrics))
        self.compare = nn.ModuleDict({name: BASELINES[name]() for name in compare if name != SHUFFLED})
        self.shuffled = SHUFFLED in compare and isinstance(net, DreamIF) and net.has_dominance
        self.with_statistics = dominance_statistics and net.has_dominance
        self.val_statistics = self._new_statistics()
        self.val_metrics = fusion_metrics(self.metric_names, prefix="val/")
        # Metrics, because Lightning's own mean over processes with unequal shares rounds the number of images.
        self.val_losses = nn.ModuleDict()  # filled by the terms as they come
        self.test_metrics = nn.ModuleList()

    @classmethod
    def load_from_checkpoint(
        cls, checkpoint_path: Any, map_location: Any = None, *args: Any, trust_code: bool = False, **kwargs: Any
    ) -> Self:
        """Load a checkpoint, of this or an older version, with the network in it; arguments as Lightning's.

        Args:
            checkpoint_path: the file.
            map_location: where its tensors go.
            *args: Lightning's.
            trust_code: also load a network that is code of others, which is imported and run.
            **kwargs: arguments of the task other than its own.

        Raises:
            InputError: The network is code of others, and it is not trusted.
        """
        if "net" not in kwargs:
            held = torch.load(checkpoint_path, map_location="cpu", weights_only=True)["hyper_parameters"]["net"]
            check_trust(held, checkpoint_path, trust_code)
            foreign = "class_path" in held
            made = ForeignNetwork.made(held["class_path"], **held.get("init_args", {})) if foreign else DreamIF(**held)
            # Lightning's own instantiator, which checkpoints name, knows of networks by class_path alone.
            kwargs |= {"net": made, "_instantiator": None}
        return super().load_from_checkpoint(checkpoint_path, map_location, *args, **kwargs)

    def _new_statistics(self) -> nn.ModuleDict:
        """A mean for each statistic of dominance maps over the images that have it; empty unless asked for."""
        names = STATISTICS if self.with_statistics else ()
        return nn.ModuleDict({name: MeanMetric(nan_strategy="ignore") for name in names})

    def setup(self, stage: str) -> None:
        """Compile the network, once."""
        if self.compile_mode:
            self.net.compile(mode=None if self.compile_mode is True else self.compile_mode)
            self.compile_mode = False

    def forward(self, visible: Tensor, infrared: Tensor) -> FusionOutput:
        """Fuse a batch; see `DreamIF.forward`."""
        return self.net(visible, infrared)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step of training; stops the run, naming the batch, at a loss that is no number."""
        terms = self.losses(batch, self(batch["visible"], batch["infrared"]))
        total = terms.pop("total")
        if not torch.isfinite(total):
            raise FloatingPointError(
                f"The training loss became {total.item()} in epoch {self.current_epoch}, batch {batch_idx}, on "
                f"{', '.join(batch['name'])}; its terms: "
                + ", ".join(f"{name} {term.item():g}" for name, term in terms.items())
                + ". Try a lower learning rate, or --trainer.precision 32-true; the last checkpoint is intact."
            )
        size = len(batch["name"])
        self.log("loss", total, prog_bar=True, logger=False, batch_size=size)
        logged = {"train/loss": total} | {f"train/loss_{name}": term for name, term in terms.items()}
        self.log_dict(logged, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        return total

    def losses(self, batch: Batch, output: FusionOutput) -> dict[str, Tensor]:
        """All terms of the objective for a batch, against its clean sources."""
        return self.loss(
            output.fused,
            batch["visible_clean"],
            batch["infrared_clean"],
            output.dominance_visible,
            output.dominance_infrared,
            epoch=self.current_epoch,
            sources=(batch["visible"], batch["infrared"]),
        )

    def statistics(self, batch: Batch, output: FusionOutput) -> dict[str, Tensor]:
        """What the dominance maps of a batch say, (B,) each; nothing unless it was asked for."""
        if not self.with_statistics:
            return {}
        sources = batch["visible"], batch["infrared"]
        clean = batch["visible_clean"], batch["infrared_clean"]
        nothing_done = all(map(torch.equal, sources, clean))
        return dominance_statistics(output, output if nothing_done else self(*clean), sources, clean)

    def validation_step(self, batch: Batch, batch_idx: int) -> Shown:
        """Update the validation metrics and the validation loss."""
        output = self(batch["visible"], batch["infrared"])
        self.val_metrics.update(output.fused, batch["visible_clean"], batch["infrared_clean"])
        self.log_dict(self.val_metrics, batch_size=len(batch["name"]))
        mean: Any  # a module, to mypy
        for name, term in self.losses(batch, output).items():
            if name not in self.val_losses:
                self.val_losses[name] = MeanMetric().to(self.device)
            mean = self.val_losses[name]
            mean.update(term, weight=len(batch["name"]))
            logged = "val/loss" if name == "total" else f"val/loss_{name}"
            self.log(logged, mean, metric_attribute=f"val_losses.{name}")
        statistics = self.statistics(batch, output)
        for name, values in statistics.items():
            mean = self.val_statistics[name]
            mean.update(values.to(self.device, torch.float32))
            self.log(f"val/{name}", mean)
        return {
            "fused": {"fused": output.fused},
            "dominance_visible": output.dominance_visible,
            "statistics": statistics,
            "scores": {},
        }

    def on_test_start(self) -> None:
        """Make one set of metrics for each test set and method."""
        sets: list[str] = getattr(getattr(self.trainer, "datamodule", None), "test_sets", ["set"])
        methods = ["fused", *self.compare, *([SHUFFLED] if self.shuffled else [])]
        self.test_metrics = nn.ModuleList(
            nn.ModuleDict({method: fusion_metrics(self.metric_names, per_image=True) for method in methods})
            for _ in sets
        ).to(self.device)
        self.test_statistics = nn.ModuleList(self._new_statistics() for _ in sets).to(self.device)
        self.shuffling = ShuffledMaps(self.net)
        self.test_sets = sets

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Shown:
        """Update the metrics of this batch's test set, for the network and what it is compared with."""
        sources = batch["visible"], batch["infrared"]
        with self.shuffling.noting() if self.shuffled else nullcontext():
            output = self(*sources)
        fused = {name: baseline(*sources) for name, baseline in self.compare.items()} | {"fused": output.fused}
        if self.shuffled:
            fused[SHUFFLED] = self.shuffling(*sources, batch["name"][0])
        clean = batch["visible_clean"], batch["infrared_clean"]
        scores = {
            # torchmetrics makes a scalar of a single image's value
            method: {name: value.reshape(-1) for name, value in metrics(fused[method], *clean).items()}
            for method, metrics in self.test_metrics[dataloader_idx].items()  # type: ignore[operator]  # a ModuleDict
        }
        statistics = self.statistics(batch, output)
        for name, values in statistics.items():
            mean: Any = self.test_statistics[dataloader_idx][name]  # type: ignore[index]  # a ModuleDict
            mean.update(values.to(self.device, torch.float32))
        scores["fused"] |= statistics
        return {
            "fused": fused,
            "dominance_visible": output.dominance_visible,
            "statistics": statistics,
            "scores": scores,
        }

    def on_test_epoch_end(self) -> None:
        """Log the mean of each metric over the images of each test set for which it is defined."""
        for name, by_method in zip(self.test_sets, self.test_metrics, strict=True):
            for method, metrics in by_method.items():  # type: ignore[operator]  # a ModuleDict
                place = f"test/{name}" if method == "fused" else f"test/{name}/{method}"
                for metric, values in metrics.compute().items():
                    defined = values[values.isfinite()]
                    if undefined := values.numel() - len(defined):
                        rank_zero_warn(f"{place}/{metric} is undefined for {undefined} of {values.numel()} images")
                    self.log(f"{place}/{metric}", defined.mean())
                metrics.reset()
        for name, means in zip(self.test_sets, self.test_statistics, strict=True):
            for statistic, mean in means.items():  # type: ignore[operator]  # a ModuleDict
                self.log(f"test/{name}/{statistic}", mean.compute())

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> FusionOutput:
        """Fuse a batch: the image clamped to [0, 1], and the dominance maps; InputError if it has NaN or infinity."""
        output = self(batch["visible"], batch["infrared"])
        return output._replace(fused=check_finite(output.fused).float().clamp(0, 1))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the network's weights; those of a loss or metric too where it is the one that was trained with."""
        held = checkpoint["state_dict"]
        beside = {name: value for name, value in self.state_dict().items() if not name.startswith("net.")}
        beside = {name: held.get(name, value) for name, value in beside.items()}
        checkpoint["state_dict"] = {name: held[name] for name in held if name.startswith("net.")} | beside

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients, beside a fused optimizer too.

        Lightning refuses to clip beside a fused optimizer in any mixed precision (as of 2.6; its issue 21435), for a
        fused step takes the scale of float16's gradients out by itself. Taken out before, the step knows of it.
        """
        precision = self.trainer.precision_plugin
        if not isinstance(precision, MixedPrecision):
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        if precision.scaler is not None and unscales_by_itself(optimizer):
            precision.scaler.unscale_(optimizer)
        algorithm = GradClipAlgorithmType(gradient_clip_algorithm or GradClipAlgorithmType.NORM)
        Precision.clip_gradients(precision, optimizer, gradient_clip_val or 0.0, algorithm)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer, and a learning rate that rises linearly and then falls along a cosine, step by step."""
        from timm.optim import param_groups_weight_decay  # with it W&B: seconds that a mistyped setting need not cost

        groups: Any = param_groups_weight_decay(self.net, weight_decay=1.0)  # with 0 it would make but one group
        for group in groups:
            if group["weight_decay"]:
                del group["weight_decay"]  # the optimizer's own counts; norms and biases keep 0
        optimizer = self.optimizer(groups)
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise InputError("The learning-rate schedule needs an end: set trainer.max_epochs or trainer.max_steps.")
        rising = round(self.warmup * steps)
        peak = max(group["lr"] for group in optimizer.param_groups)
        cosine = CosineAnnealingLR(optimizer, max(1, int(steps) - rising), eta_min=self.final_lr * peak)
        schedule: LRScheduler = cosine
        if rising:  # a LinearLR sets the rate as soon as it is made, also one that is not used
            rise = LinearLR(optimizer, start_factor=0.01, total_iters=rising)
            schedule = SequentialLR(optimizer, [rise, cosine], milestones=[rising])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
