"""`dream-if figure`: comparison grids and dominance maps for papers."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dream_if.data.layouts import Pair, match
from dream_if.errors import InputError
from dream_if.evaluation.command import parse_methods
from dream_if.figures.comparison import Scene, draw_comparison
from dream_if.figures.dominance import draw_dominance, map_scene
from dream_if.figures.drawing import check_format, missing_letters
from dream_if.figures.zoom import Zoom
from dream_if.inference import load_network
from dream_if.inference.engine import check_pair
from dream_if.inference.pictures import read_picture
from dream_if.inference.values import InfraredRange, infrared_values, visible_values

__all__ = ["add_arguments", "run"]

MOST = 3  # scenes, where none are named
SOURCES = ("visible", "infrared")  # names of their columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, to a parser of argparse or jsonargparse."""
    parser.add_argument("--visible", required=True, metavar="FOLDER", help="visible sources")
    parser.add_argument("--infrared", required=True, metavar="FOLDER", help="infrared sources, with the same stems")
    parser.add_argument(
        "--fused",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a method and its fused images, with the stems and sizes of the sources; give it once per column",
    )
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="figure to write: .png, .pdf or .svg")
    parser.add_argument(
        "--scenes",
        metavar="A,B,...",
        help=f"stems of the pairs, a row each; if left out the first {MOST} of the folder",
    )
    parser.add_argument(
        "--zoom",
        action="append",
        default=[],
        metavar="[SCENE:]X,Y,W,H",
        help="part to enlarge in every picture, of one scene or of all: left, top, width and height in pixels. Give it "
        "once per box",
    )
    parser.add_argument(
        "--insets", choices=("below", "corner"), help="where the enlarged parts go: below (default) or inside"
    )
    parser.add_argument(
        "--dominance",
        action="store_true",
        help="instead of methods, draw the dominance maps of a network at each level of its decoder",
    )
    parser.add_argument(
        "--weights", help="the network for --dominance, as `dream-if fuse` takes it; if left out the shipped small one"
    )
    parser.add_argument("--width", type=float, default=1.4, metavar="INCHES", help="width of a column")
    parser.add_argument("--dpi", type=float, default=300, help="dots per inch of a PNG")


def run(options: argparse.Namespace) -> int:
    """Draw a comparison of fused images with zoom boxes, or dominance maps, as papers show them.

    Args:
        options: what a parser with `add_arguments` returned.

    Returns:
        0.

    Raises:
        InputError: A folder, scene, image, box or option cannot be used, or the figure cannot be written.
    """
    out = Path(options.out).expanduser()
    check_format(out)
    if not 0.2 <= options.width <= 20 or not 20 <= options.dpi <= 2400:
        raise InputError(
            f"--width is 0.2 to 20 inches and --dpi 20 to 2400, got {options.width:g} and {options.dpi:g}."
        )
    methods = parse_methods(options.fused)
    zooms = [Zoom.parse(text) for text in options.zoom]
    _check_together(options, methods)
    pairs = _chosen(Path(options.visible).expanduser(), Path(options.infrared).expanduser(), options.scenes)
    unknown = {zoom.scene for zoom in zooms if zoom.scene} - {pair.name for pair in pairs}
    if unknown:
        raise InputError(f"--zoom: {', '.join(sorted(unknown))} is no scene of the figure, which has {_listed(pairs)}.")
    if options.dominance:
        weights = options.weights or "small"
        net = load_network(weights)
        if not net.config["use_rd"]:
            raise InputError(f"--dominance: the network of {weights} has no dominance maps (use_rd is false).")
        mapped = [map_scene(net, pair.name, *_sources(pair)) for pair in pairs]
        draw_dominance(mapped, out, width=options.width, dpi=options.dpi)
    else:
        scenes = _scenes(pairs, methods, Path(options.visible).expanduser())
        draw_comparison(scenes, zooms, out, insets=options.insets or "below", width=options.width, dpi=options.dpi)
    missing = missing_letters([*methods, *(pair.name for pair in pairs)])
    if missing and check_format(out) != "svg":  # whose letters are drawn with the fonts of whoever shows it
        sys.stderr.write(f"Note: the font of the figure has no {missing}; names show boxes for it. SVG keeps them.\n")
    sys.stdout.write(f"Wrote {out}: {_listed(pairs)}.\n")
    return 0


def _check_together(options: argparse.Namespace, methods: Mapping[str, Path]) -> None:
    """Refuse options that mean nothing beside the others, and methods with the name of a source.

    Raises:
        InputError: There is such an option or name, or nothing to draw.
    """
    taken = [name for name in SOURCES if name in methods]
    if taken:
        raise InputError(f"--fused: the column {taken[0]!r} is that of the sources; give the method another name.")
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


def _chosen(visible: Path, infrared: Path, scenes: str | None) -> list[Pair]:
    """The pairs that are asked for, in that order."""
    matches = match(visible, infrared)
    found = {pair.name: pair for pair in matches.pairs}
    if not found:
        raise InputError(f"no pair of images in {visible} and {infrared}; partners have the same stem.")
    if scenes is None:
        return list(found.values())[:MOST]
    wanted = list(dict.fromkeys(name.strip() for name in scenes.split(",") if name.strip()))
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        known = ", ".join(list(found)[:5]) + (", ..." if len(found) > 5 else "")
        raise InputError(
            f"--scenes: {', '.join(missing) or 'no name given'}: no pair of this stem in {visible} and {infrared}; "
            f"there are {known}."
        )
    return [found[name] for name in wanted]


def _sources(pair: Pair) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Visible (H, W, 3) and infrared (H, W), in [0, 1]."""
    visible, infrared = read_picture(pair.visible), read_picture(pair.infrared)
    check_pair(visible, infrared)
    return _coloured(visible_values(visible)), infrared_values(infrared, InfraredRange())[0]


def _coloured(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.array(np.broadcast_to(values, (*values.shape[:2], 3)))  # to be written to, as torch wants it


def _scenes(pairs: Sequence[Pair], methods: Mapping[str, Path], visible: Path) -> list[Scene]:
    """The rows of a comparison.

    Raises:
        InputError: A method has no image of a scene, or one of another size.
    """
    files = {
        name: {pair.name: pair.infrared for pair in match(visible, folder).pairs} for name, folder in methods.items()
    }
    scenes = []
    for pair in pairs:
        pictures = dict(zip(SOURCES, _sources(pair), strict=True))
        for name, found in files.items():
            if pair.name not in found:
                raise InputError(f"{name}: no image of the stem {pair.name} in {methods[name]}.")
            values = _coloured(visible_values(read_picture(found[pair.name])))
            if values.shape[:2] != pictures["visible"].shape[:2]:
                raise InputError(
                    f"{found[pair.name]} is {values.shape[1]}x{values.shape[0]}, and its sources are "
                    f"{pictures['visible'].shape[1]}x{pictures['visible'].shape[0]} (width x height); boxes would show "
                    "other places. Scale it first."
                )
            pictures[name] = values
        scenes.append(Scene(pair.name, pictures))
    return scenes
