"""Generated scenes: reproducible, aligned, and each view shows what the other lacks."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from dream_if.data.scenes import LABELS, Scene, generate_scene, save_scenes
from dream_if.errors import InputError

COUNT = 40


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [generate_scene(0, index) for index in range(COUNT)]


def digest(scene: Scene) -> str:
    pixels = scene.visible.tobytes() + scene.infrared.tobytes()
    return hashlib.sha256(pixels + repr((scene.boxes, scene.night)).encode()).hexdigest()


def luminance(scene: Scene) -> np.ndarray:
    return cv2.cvtColor(scene.visible, cv2.COLOR_RGB2GRAY).astype(np.float32)


def detail(image: np.ndarray) -> np.ndarray:
    """Gradient magnitude of the image relative to its mean, so that a dark image is not called smooth."""
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.8)
    dy, dx = np.gradient(smooth)
    return np.hypot(dx, dy) / smooth.mean()


def test_same_arguments_give_the_same_pixels_in_any_order_and_process():
    first = [digest(generate_scene(5, index, (96, 128))) for index in (3, 4)]
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    second = [digest(generate_scene(5, index, (96, 128))) for index in (4, 3)]
    assert first == second[::-1]
    code = (
        "import hashlib; from dream_if.data.scenes import generate_scene; s = generate_scene(5, 3, (96, 128));"
        "print(hashlib.sha256(s.visible.tobytes() + s.infrared.tobytes()"
        " + repr((s.boxes, s.night)).encode()).hexdigest())"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == first[0]


def test_seed_and_index_each_change_the_scene():
    assert len({digest(generate_scene(s, i, (64, 64))) for s in (0, 1, 2) for i in (0, 1, 2)}) == 9


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (32, 320), (300, 40), (240, 320), (256, 256)])
def test_any_size_gives_images_of_that_size_and_boxes_inside(size: tuple[int, int]):
    for index in range(6):
        scene = generate_scene(1, index, size)
        assert scene.visible.shape == (*size, 3)
        assert scene.infrared.shape == size
        assert scene.visible.dtype == scene.infrared.dtype == np.uint8
        for box in scene.boxes:
            assert 0 <= box.x0 < box.x1 <= size[1]
            assert 0 <= box.y0 < box.y1 <= size[0]
            assert box.label in LABELS


def test_size_changes_the_sampling_but_not_the_content():
    for index in range(4):
        small, large = generate_scene(2, index, (120, 160)), generate_scene(2, index, (480, 640))
        assert small.night == large.night
        for first, second in ((small.visible, large.visible), (small.infrared, large.infrared)):
            a = cv2.resize(first, (40, 30), interpolation=cv2.INTER_AREA).astype(float).ravel()
            b = cv2.resize(second, (40, 30), interpolation=cv2.INTER_AREA).astype(float).ravel()
            assert np.corrcoef(a, b)[0, 1] > 0.95


@pytest.mark.parametrize(
    ("seed", "index", "size"), [(-1, 0, (64, 64)), (0, -1, (64, 64)), (0, 0, (31, 64)), (0, 0, (64, 8))]
)
def test_impossible_arguments_are_refused(seed: int, index: int, size: tuple[int, int]):
    with pytest.raises(InputError, match=r"got"):
        generate_scene(seed, index, size)


def test_there_are_nights_and_days_and_nights_are_darker(scenes: list[Scene]):
    nights = [luminance(s).mean() for s in scenes if s.night]
    days = [luminance(s).mean() for s in scenes if not s.night]
    assert len(nights) >= COUNT // 4
    assert len(days) >= COUNT // 4
    assert max(nights) < min(days)


def test_nearly_every_scene_has_people_and_vehicles(scenes: list[Scene]):
    assert np.mean([any(b.label == "person" for b in s.boxes) for s in scenes]) > 0.9
    assert np.mean([any(b.label == "vehicle" for b in s.boxes) for s in scenes]) > 0.8


def ring_contrast(image: np.ndarray, scene: Scene, label: str, pick: Callable[[np.ndarray], float]) -> list[float]:
    """Value of `pick` inside each large enough box, less the median of its surroundings outside all boxes."""
    free = np.ones(image.shape, bool)
    for box in scene.boxes:
        free[box.y0 : box.y1, box.x0 : box.x1] = False
    contrasts = []
    for box in scene.boxes:
        width, height = box.x1 - box.x0, box.y1 - box.y0
        if box.label != label or height < 16 or width < 6:
            continue
        rows = slice(max(0, box.y0), box.y1)
        columns = slice(max(0, box.x0 - width), box.x1 + width)
        around = image[rows, columns][free[rows, columns]]
        if around.size > 20:
            contrasts.append(pick(image[box.y0 : box.y1, box.x0 : box.x1]) - float(np.median(around)))
    return contrasts


def test_people_are_the_hot_things_in_the_infrared_and_hard_to_see_at_night(scenes: list[Scene]):
    def upper(patch: np.ndarray) -> float:
        return float(np.percentile(patch, 80))

    infrared = [c for s in scenes for c in ring_contrast(s.infrared.astype(float), s, "person", upper)]
    assert len(infrared) > 40
    assert np.mean(np.array(infrared) > 15) > 0.95
    assert np.median(infrared) > 50
    nights = [s for s in scenes if s.night]
    hot = [c for s in nights for c in ring_contrast(s.infrared.astype(float), s, "person", np.median)]
    seen = [c for s in nights for c in ring_contrast(luminance(s), s, "person", np.median)]
    assert np.median(np.abs(hot)) > 2 * np.median(np.abs(seen))


def test_boxes_fit_the_heat_tightly(scenes: list[Scene]):
    """A person alone: thresholding the heat around the box finds the box again."""
    overlaps = []
    for scene in scenes:
        for box in scene.boxes:
            width, height = box.x1 - box.x0, box.y1 - box.y0
            wide = (box.x0 - width, box.y0 - height // 4, box.x1 + width, box.y1 + height // 4)
            crowded = any(
                b is not box and b.x0 < wide[2] and b.x1 > wide[0] and b.y0 < wide[3] and b.y1 > wide[1]
                for b in scene.boxes
            )
            inside = wide[0] >= 0 and wide[1] >= 0 and wide[2] <= 320 and wide[3] <= 240
            if box.label != "person" or height < 24 or crowded or not inside:
                continue
            patch = scene.infrared[wide[1] : wide[3], wide[0] : wide[2]].astype(float)
            hot = patch > (np.median(patch) + patch.max()) / 2.4
            _, _, stats, _ = cv2.connectedComponentsWithStats(hot.astype(np.uint8))
            best = stats[1:][np.argmax(stats[1:, cv2.CC_STAT_AREA])]
            x0, y0 = wide[0] + best[0], wide[1] + best[1]
            x1, y1 = x0 + best[2], y0 + best[3]
            shared = max(0, min(x1, box.x1) - max(x0, box.x0)) * max(0, min(y1, box.y1) - max(y0, box.y0))
            overlaps.append(shared / (width * height + best[2] * best[3] - shared))
    assert len(overlaps) >= 8
    assert np.median(overlaps) > 0.6


def test_texture_is_the_visible_cameras(scenes: list[Scene]):
    """Road and facades: far more relative detail in the visible, by day and by night."""
    for night in (False, True):
        ratios = []
        for scene in (s for s in scenes if s.night == night):
            visible, infrared = detail(luminance(scene)), detail(scene.infrared)
            ratios.append(visible[180:].mean() / infrared[180:].mean())
            ratios.append(visible[40:110, :60].mean() / infrared[40:110, :60].mean())
        assert np.median(ratios) > 2.5
        assert np.mean(np.array(ratios) > 1) > 0.9


def test_some_people_drown_in_glare_yet_show_in_the_infrared(scenes: list[Scene]):
    found = 0
    for scene in (s for s in scenes if s.night):
        grey = luminance(scene)
        for box in (b for b in scene.boxes if b.label == "person"):
            seen, heat = grey[box.y0 : box.y1, box.x0 : box.x1], scene.infrared[box.y0 : box.y1, box.x0 : box.x1]
            found += bool(np.mean(seen > 190) > 0.3 and np.percentile(heat, 80) > np.median(scene.infrared) + 40)
    assert found >= 3


def test_running_vehicles_are_warm_at_night(scenes: list[Scene]):
    hottest = [
        c
        for s in scenes
        if s.night
        for c in ring_contrast(s.infrared.astype(float), s, "vehicle", lambda p: float(p.max()))
    ]
    assert len(hottest) > 10
    assert np.median(hottest) > 40


def test_the_sky_is_the_coldest_part(scenes: list[Scene]):
    """Where the top rows are open sky, they are colder than the road in nearly every scene."""
    colder = [np.percentile(s.infrared[:60], 5) < np.median(s.infrared[180:]) for s in scenes]
    assert np.mean(colder) > 0.95


def test_both_views_share_their_geometry(scenes: list[Scene]):
    """Edges of the infrared lie on edges of the visible: the best shift between them is none."""
    offsets = []
    for scene in (s for s in scenes if not s.night):
        visible, infrared = detail(luminance(scene)), detail(scene.infrared)
        strong = infrared > np.percentile(infrared, 95)
        scores = {
            (dy, dx): np.roll(visible, (dy, dx), (0, 1))[strong].mean() for dy in range(-3, 4) for dx in range(-3, 4)
        }
        offsets.append(max(scores, key=lambda k: scores[k]))
    assert np.mean([max(abs(dy), abs(dx)) <= 1 for dy, dx in offsets]) > 0.9


def read_labels(path: Path, size: tuple[int, int]) -> list[tuple[str, int, int, int, int]]:
    boxes = []
    for line in path.read_text().splitlines():
        kind, cx, cy, width, height = line.split()
        x, y, w, h = (float(v) * n for v, n in ((cx, size[1]), (cy, size[0]), (width, size[1]), (height, size[0])))
        boxes.append((LABELS[int(kind)], *(round(v) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2))))
    return boxes


def test_saved_sets_read_back_exactly(tmp_path: Path):
    root = tmp_path / "new" / "scenes"
    size = (96, 128)
    save_scenes(root, {"train": 2, "test": 1}, seed=9, size=size)
    expected = {("train", "000000"): 0, ("train", "000001"): 1, ("test", "000002"): 2}
    for (split, name), index in expected.items():
        scene = generate_scene(9, index, size)
        visible = cv2.imread(str(root / split / "vi" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        infrared = cv2.imread(str(root / split / "ir" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(visible[..., ::-1], scene.visible)
        np.testing.assert_array_equal(infrared, scene.infrared)
        mask = cv2.imread(str(root / split / "Segmentation_labels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, scene.classes)
        boxes = [(b.label, b.x0, b.y0, b.x1, b.y1) for b in scene.boxes]
        assert read_labels(root / split / "labels" / f"{name}.txt", size) == boxes
    assert sorted(p.name for p in root.iterdir()) == ["test", "train"]
    assert sum(1 for p in root.rglob("*") if p.is_file()) == 12
    assert [p.name for p in root.parent.iterdir()] == ["scenes"]  # nothing temporary stays


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="empty folder"):
        save_scenes(tmp_path, {"train": 1}, size=(32, 32))
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]
    empty = tmp_path / "empty"
    empty.mkdir()
    save_scenes(empty, {"train": 1}, size=(32, 32))
    assert (empty / "train" / "vi" / "000000.png").is_file()


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = Path.write_bytes
    calls = []

    def full_disk(path: Path, data: bytes) -> int:
        calls.append(path)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="No space left"):
        save_scenes(tmp_path / "set", {"train": 5}, size=(32, 32))
    assert len(calls) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("counts", [{}, {"train": 0}, {"../train": 1}, {"": 1}])
def test_wrong_splits_are_refused_before_anything_is_written(tmp_path: Path, counts: dict[str, int]):
    with pytest.raises(InputError):
        save_scenes(tmp_path / "set", counts, size=(32, 32))
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        save_scenes(tmp_path / "file" / "set", {"train": 1}, size=(32, 32))
