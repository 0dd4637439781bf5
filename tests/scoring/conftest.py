from tests.scoring.made_folders import folders, options, scored

__all__ = ["folders", "options", "scored"]
