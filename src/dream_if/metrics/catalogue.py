"""The list of metrics, each with its direction, range, conventions, formula and reference."""

from dataclasses import dataclass

from dream_if.metrics.base import DEFAULT_CONVENTION
from dream_if.metrics.registry import METRICS

__all__ = ["CODES", "CatalogueEntry", "catalogue"]

CODES = {
    DEFAULT_CONVENTION: "the default; for AG, SF, Qabf, SSIM and VIFF that of the tables of the Dream-IF paper",
    "cddfuse": "Python evaluator published with CDDFuse (Zhao et al., CVPR 2023), also used by EMMA and others",
    "vifb": "MATLAB metrics of the VIFB benchmark (Zhang, Ye and Xiao, CVPR Workshops 2020)",
    "linfeng": "MATLAB package Evaluation-for-Image-Fusion (Linfeng Tang)",
    "ivif_zoo": "Python metrics of IVIF_ZOO (Liu et al., IEEE Transactions on PAMI, 2025)",
    "liu": "MATLAB image fusion metrics of Zheng Liu et al. (IEEE Transactions on PAMI 34(1), 2012)",
    "han": "MATLAB code of the authors of VIFF (Han, Cai, Cao and Xu, Information Fusion 14(2), 2013)",
    "piella": "the original definition of Piella and Heijmans (ICIP 2003)",
}
"""The published code behind each convention."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One metric, in words.

    Attributes:
        name: its symbol, a key of `METRICS`.
        direction: "higher" or "lower" is better.
        lowest: lower bound.
        highest: upper bound.
        unit: "" for a pure number.
        formula: the default definition in words.
        reference: where it was defined.
        conventions: each convention and how it differs from the default: "default", "same", or the options.
    """

    name: str
    direction: str
    lowest: float
    highest: float
    unit: str
    formula: str
    reference: str
    conventions: dict[str, str]


def _difference(options: dict[str, object], default: dict[str, object]) -> str:
    changed = [f"{key.replace('_', ' ')} {value}" for key, value in options.items() if default.get(key) != value]
    return ", ".join(changed) or "same"


def catalogue() -> list[CatalogueEntry]:
    """All metrics in the order of `METRICS`.

    Example:
        >>> entry = catalogue()[0]
        >>> entry.name, entry.direction, entry.conventions["vifb"]
        ('AG', 'higher', 'divisor interior')
    """
    entries = []
    for name, metric in METRICS.items():
        default = dict(metric.conventions[DEFAULT_CONVENTION])
        differences = {key: _difference(dict(options), default) for key, options in metric.conventions.items()}
        differences[DEFAULT_CONVENTION] = "default"
        entries.append(
            CatalogueEntry(
                name=name,
                direction="higher" if metric.higher_is_better else "lower",
                lowest=metric.bounds[0],
                highest=metric.bounds[1],
                unit=metric.unit,
                formula=metric.formula,
                reference=metric.citation,
                conventions=differences,
            )
        )
    return entries
