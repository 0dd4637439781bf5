"""Generated road scenes: a visible and a thermal view of one street, with boxes for people and vehicles.

They are always available: nothing is downloaded, and (seed, index) decides every pixel. Each view shows what the other
lacks. Only the visible has brickwork, signs, lane marks and colours; only the infrared has people and
engines at night, and a person beside a headlight vanishes in the visible glare. Both come from one canvas, so they are
aligned exactly.
"""

from dream_if.data.scenes.files import save_scenes
from dream_if.data.scenes.generate import LABELS, MIN_SIZE, Label, ObjectBox, Scene, generate_scene

__all__ = ["LABELS", "MIN_SIZE", "Label", "ObjectBox", "Scene", "generate_scene", "save_scenes"]
