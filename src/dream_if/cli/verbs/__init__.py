"""The verbs of our own, a module each: `Options`, and `run`, which takes them and returns the exit status."""
