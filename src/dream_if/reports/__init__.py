"""Tables, pictures and files for people: the paper's tables and the report of `dream-if evaluate`."""
