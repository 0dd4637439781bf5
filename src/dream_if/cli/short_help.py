"""What `dream-if fit --help` prints: the settings that most runs change. `--help-all` lists all."""

__all__ = ["SHORT_HELP"]

SETTINGS = """\
Every setting is a flag and a key in YAML. What comes later wins; --help-all lists all of them, docs/configuration.md
explains them.

  --config FILE                     a YAML file with settings, or demo, small, full, ablation/rd ...; several add up
  --print_config                    print all settings, and run nothing
  --seed_everything N               of weights, crops and degradations                                        (0)
  --threads N                       that compute in this process                           (the cores that are free)

network
  --model.net.dim N                 channels at full resolution                                               (48)
  --model.net.num_blocks "[..]"     blocks at each of the four levels
  --model.net.dominance FORM        of the dominance maps: paper, joint or weighing
  --model.net.use_rd, use_ce, use_se true|false     relative dominance, cross and self enhancement
  --model.net.stride N              2: all levels at half the size
  --model.compile true              through torch.compile                                                     (false)

objective
  --model.loss.weights.TERM W       pixel, gradient, ssim, colour, dominance, activity, reliability, qabf, viff ...
  --model.loss.warmup_epochs N      with the mean of the sources as the target
  --model.optimizer CLASS           of PyTorch, such as torch.optim.AdamW; then --model.optimizer.lr and its others
  --model.metrics "[..]"            scored at each validation                                (AG, SF, Qabf, SSIM, VIFF)

data
  --data.root FOLDER                <root>/<split>/{vi,ir}, <root>/{vi,ir}, or what prepare wrote; "[a, b]" for several
  --data.layout NAME                folder, llvip, msrs, m3fd, roadscene, tno; scenes needs no data           (scenes)
  --data.test_root FOLDER           test on these instead
  --data.crop N                     side of the training crops in pixels
  --data.batch_size N               crops in a batch on each device
  --data.num_workers N              processes that read                                                       (2)
  --data.degradation CLASS          such as dream_if.data.RandomDegradations; null for clean pairs

training
  --trainer.max_epochs N
  --trainer.precision P             bf16-mixed, 16-mixed, 32-true
  --trainer.devices N               GPUs; --trainer.num_nodes for several machines
  --trainer.logger CLASS            CSVLogger, WandbLogger, TensorBoardLogger, MLFlowLogger
  --trainer.fast_dev_run true       one step of everything, and nothing kept
"""

SHORT_HELP = {
    "fit": f"""\
usage: dream-if fit [--config FILE] [--key value ...]

Trains a network. The run's folder gets the best checkpoint, the settings and the scores; each epoch prints a line.

  --ckpt_path FILE                  resume exactly from a checkpoint, such as last.ckpt in the run's folder
  --start_from NAME                 start from trained weights
  --then_test true                  test the best checkpoint at the end                                       (false)

{SETTINGS}
To start:        dream-if fit --config demo
Your own pairs:  dream-if fit --config small --data.root data/mine
""",
    **{
        verb: f"""\
usage: dream-if {verb} --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt [--key value ...]

{about}

  --ckpt_path FILE                  the checkpoint

{SETTINGS}"""
        for verb, about in {
            "validate": "Scores a checkpoint on the validation pairs.",
            "test": "Scores a checkpoint on the test sets, beside classical methods, on the same inputs.",
            "predict": "Fuses the test pairs with a checkpoint, and writes the images.",
        }.items()
    },
}
"""By verb of Lightning."""
