"""A hook of MkDocs: notebooks become pages, and TeX becomes MathML, which browsers draw without a script.

`make docs` runs the notebooks into build/notebooks first. Where that was not done, as in a test, their pages have no
outputs.
"""

import html
import io
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
WIDEST = 1400  # pixels of a picture
CELLS = {"sh": "sh", "py": "python", "yaml": "yaml"}
TEX = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.DOTALL)


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add a page for each notebook, and its pictures."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        ran = ROOT / "build/notebooks" / path.name
        resources = {"unique_key": path.stem, "output_files_dir": path.stem}
        text, made = MarkdownExporter().from_filename(str(ran if ran.exists() else path), resources)
        text = re.sub(r"```python\n%%sh\n", "```sh\n", text)
        text = re.sub(r"```python\n%%writefile (\S+\.(\w+))\n", lambda m: f"`{m[1]}`:\n\n```{CELLS[m[2]]}\n", text)
        text = text.replace("](../docs/", "](../").replace(".png)", ".webp)")
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=text))
        for name, picture in made["outputs"].items():
            smaller = f"tutorials/{name.removesuffix('.png')}.webp"
            files.append(File.generated(config, smaller, content=_webp(picture)))
    return files


def _webp(picture: bytes) -> bytes:
    """The same picture a fifth as large, and not wider than it is shown."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((WIDEST, 10 * WIDEST))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=75)
    return buffer.getvalue()


def on_page_content(text: str, **_: Any) -> str:
    """Formulas, which the extension arithmatex has marked, as MathML."""
    return TEX.sub(lambda m: convert(html.unescape(m[2]), display="block" if m[1] == "div" else "inline"), text)
