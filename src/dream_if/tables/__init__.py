"""The paper's tables: the ablation from finished runs, the others by running methods on test sets."""
