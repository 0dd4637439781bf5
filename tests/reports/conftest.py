from tests.runs.made_runs import write_ablation

__all__ = ["write_ablation"]
