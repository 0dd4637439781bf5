"""Scoring folders of fused images, of any method, against their sources."""

from dream_if.evaluation.evaluator import evaluate
from dream_if.evaluation.report import write_report
from dream_if.evaluation.results import Evaluation
from dream_if.evaluation.statistics import Comparison, compare, holm, mean_ranks

__all__ = ["Comparison", "Evaluation", "compare", "evaluate", "holm", "mean_ranks", "write_report"]
