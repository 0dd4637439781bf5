"""A hook of MkDocs: README and others outside docs/ are pages of the site, with links that hold there."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "sweeps.md": "sweeps/README.md",
}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text of a page: its own, or that of a file at the top of the repository."""
    source = PAGES.get(page.file.src_uri)
    if source is None:
        return markdown
    text = (ROOT / source).read_text().replace("[Apache License 2.0](LICENSE)", "Apache License 2.0")
    for there, name in PAGES.items():
        text = text.replace(f"]({name}", f"]({there}").replace(f"](../{name}", f"]({there}")
    return text.replace("](docs/", "](").replace("](../docs/", "](")
