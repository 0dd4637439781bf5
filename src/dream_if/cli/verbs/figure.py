"""`dream-if figure`: comparison grids and dominance maps for papers."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dream_if.cli import network_options
from dream_if.cli.options import named_folders, option
from dream_if.errors import InputError
from dream_if.figures.dominance import draw_dominance, map_scene
from dream_if.figures.drawing import check_format, missing_letters
from dream_if.figures.grid import Insets, draw_comparison
from dream_if.figures.reading import MOST, SOURCES, choose_pairs, read_scenes, read_sources
from dream_if.figures.zoom import Zoom
from dream_if.inference import load_network
from dream_if.storage import Pair

__all__ = ["Options", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to draw, and the file."""

    visible: str = option("visible sources", metavar="FOLDER")
    infrared: str = option("infrared sources, with the same stems", metavar="FOLDER")
    fused: Sequence[str] = option(
        "a method and its fused images, with the stems and sizes of the sources; give it once per column",
        default=(),
        action="append",
        metavar="NAME=FOLDER",
    )
    out: str = option("figure to write: .png, .pdf or .svg", short="-o", metavar="FILE")
    scenes: str | None = option(
        f"stems of the pairs, a row each; if left out the first {MOST} of the folder", default=None, metavar="A,B,..."
    )
    zoom: Sequence[str] = option(
        "part to enlarge in every picture, of one scene or of all: left, top, width and height in pixels. Give it "
        "once per box",
        default=(),
        action="append",
        metavar="[SCENE:]X,Y,W,H",
    )
    insets: Insets | None = option(
        "where the enlarged parts go: below (default) or inside", default=None, choices=("below", "corner")
    )
    dominance: bool = option(
        "instead of methods, draw the dominance maps of a network at each level of its decoder", default=False
    )
    weights: str | None = option(
        "the network for --dominance, as `dream-if fuse` takes it; if left out the shipped small one", default=None
    )
    trust_code: bool = network_options.trust_code()
    width: float = option("width of a column", default=1.4, metavar="INCHES")
    dpi: float = option("dots per inch of a PNG", default=300)


def run(options: Options) -> int:
    """Draw a comparison of fused images with zoom boxes, or dominance maps, as papers show them.

    Raises:
        InputError: A folder, scene, image, box or option cannot be used, or the figure cannot be written.
    """
    out = Path(options.out).expanduser()
    check_format(out)
    if not 0.2 <= options.width <= 20 or not 20 <= options.dpi <= 2400:
        raise InputError(
            f"--width is 0.2 to 20 inches and --dpi 20 to 2400, got {options.width:g} and {options.dpi:g}."
        )
    methods = named_folders(options.fused)
    zooms = [Zoom.parse(text) for text in options.zoom]
    _check_together(options, methods)
    pairs = choose_pairs(Path(options.visible).expanduser(), Path(options.infrared).expanduser(), options.scenes)
    unknown = {zoom.scene for zoom in zooms if zoom.scene} - {pair.name for pair in pairs}
    if unknown:
        named = ", ".join(sorted(unknown))
        raise InputError(f"--zoom: {named} is not a scene of the figure, which has {_listed(pairs)}.")
    if options.dominance:
        weights = options.weights or "small"
        net = load_network(weights, trust_code=options.trust_code)
        if not net.has_dominance:
            raise InputError(f"--dominance: the network of {weights} has no dominance maps.")
        mapped = [map_scene(net, pair.name, *read_sources(pair)) for pair in pairs]
        draw_dominance(mapped, out, width=options.width, dpi=options.dpi)
    else:
        scenes = read_scenes(pairs, methods, Path(options.visible).expanduser())
        draw_comparison(scenes, zooms, out, insets=options.insets or "below", width=options.width, dpi=options.dpi)
    missing = missing_letters([*methods, *(pair.name for pair in pairs)])
    if missing and check_format(out) != "svg":  # whose letters are drawn with the fonts of whoever shows it
        sys.stderr.write(f"Note: the font of the figure has no {missing}; names show boxes for it. SVG keeps them.\n")
    sys.stdout.write(f"Wrote {out}: {_listed(pairs)}.\n")
    return 0


def _check_together(options: Options, methods: Mapping[str, Path]) -> None:
    """Refuse options that mean nothing beside the others, and methods with the name of a source.

    Raises:
        InputError: There is such an option or name, or nothing to draw.
    """
    taken = [name for name in SOURCES if name in methods]
    if taken:
        raise InputError(f"--fused: the column {taken[0]!r} belongs to the sources; give the method another name.")
    if options.dominance:
        if methods or options.zoom or options.insets:
            raise InputError(
                "--dominance draws one network's maps; give --fused, --zoom and --insets to a figure of their own."
            )
        return
    if not methods:
        raise InputError("there is nothing to compare: give --fused NAME=FOLDER, or --dominance.")
    if options.weights:
        raise InputError("--weights names the network of --dominance, and methods need none; leave one of them out.")
    if options.insets and not options.zoom:
        raise InputError("--insets says where enlarged parts go; name one with --zoom, or leave it out.")


def _listed(pairs: Sequence[Pair]) -> str:
    return ", ".join(pair.name for pair in pairs)
