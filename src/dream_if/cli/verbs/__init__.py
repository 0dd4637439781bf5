"""Our own verbs, one module each: `Options`, and `run`, which takes them and returns the exit status."""
