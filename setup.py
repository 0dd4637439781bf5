"""Puts experiments/ and sweeps/ into the package that is built; all else stands in pyproject.toml."""

from pathlib import Path
from shutil import copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py


class WithConfigurations(build_py):
    """A build that also takes the configurations, which lie beside the package in a checkout."""

    def run(self) -> None:
        """Build, and copy them."""
        super().run()
        if not self.editable_mode:
            for folder in ("experiments", "sweeps"):
                place = Path(self.build_lib, "dream_if/configurations", folder)
                copytree(folder, place, ignore=ignore_patterns("__pycache__"), dirs_exist_ok=True)


setup(cmdclass={"build_py": WithConfigurations})
