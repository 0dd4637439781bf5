from tests.runs.made_runs import write_ablation
from tests.runs.made_sweeps import calls, no_variables, order, stand_in, two_seeds

__all__ = ["calls", "no_variables", "order", "stand_in", "two_seeds", "write_ablation"]
