"""Made-up scores as a data frame."""

import numpy as np
import pandas as pd


def scores(values, metrics=("AG",), methods=None) -> pd.DataFrame:
    """What `score_groups` would return of (M, N, K) values, or (M, N) for one metric."""
    values = np.asarray(values, np.float64)
    values = values[..., None] if values.ndim == 2 else values
    methods = methods or [f"m{k}" for k in range(values.shape[0])]
    frame = pd.DataFrame(
        [
            ("", "", method, position, f"s{position}", metric, values[line, position, column], "2024-01-01")
            for line, method in enumerate(methods)
            for position in range(values.shape[1])
            for column, metric in enumerate(metrics)
        ],
        columns=["set", "condition", "method", "position", "name", "metric", "value", "date"],
    )
    for column in ("set", "condition", "method", "metric"):
        frame[column] = pd.Categorical(frame[column], frame[column].unique())
    return frame
