"""The verbs of our own, one a module: `Options`, and `run`, whose docstring is the help."""
