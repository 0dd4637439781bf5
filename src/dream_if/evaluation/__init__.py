"""The verb `dream-if evaluate`."""
