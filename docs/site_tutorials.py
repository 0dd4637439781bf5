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
PICTURES = {"degradations", "gallery"}  # whose pages do without their code
WIDEST = 1400  # pixels of a picture
CELLS = {"sh": "sh", "py": "python", "yaml": "yaml"}
TEX = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.DOTALL)


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add a page for each notebook, and its pictures."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        ran = ROOT / "build/notebooks" / path.name
        exporter = MarkdownExporter(config={"CoalesceStreamsPreprocessor": {"enabled": True}})
        exporter.exclude_input = path.stem in PICTURES
        resources = {"unique_key": path.stem, "output_files_dir": path.stem}
        text, made = exporter.from_filename(str(ran if ran.exists() else path), resources)
        text = re.sub(r"```\w+\n%%sh\n", "```sh\n", text)
        text = re.sub(r"\n    Writing \S+\n", "\n", text)
        text = re.sub(r"```python\n%%writefile (\S+\.(\w+))\n", lambda m: f"`{m[1]}`:\n\n```{CELLS[m[2]]}\n", text)
        for name, picture in made["outputs"].items():
            smaller = f"{name.removesuffix('.png')}.webp"
            text = text.replace(f"![png]({name})", f"[![png]({smaller})]({smaller})")  # a click shows it larger
            files.append(File.generated(config, f"tutorials/{smaller}", content=_webp(picture)))
        page = text.replace("](../docs/", "](../")
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=page))
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
