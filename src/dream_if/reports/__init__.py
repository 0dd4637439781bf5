"""Reports: the paper's tables, and the report of `dream-if evaluate`."""
