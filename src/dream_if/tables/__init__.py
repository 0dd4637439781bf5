"""The paper's tables, made from the folders that finished runs leave."""
