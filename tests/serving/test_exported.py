"""Files that the export has made of tasks, beside these tasks: the same answers through ``Predictor``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg import CNNClassifierTask, Predictor, SlidingDetectorTask, UNetTask
from lightning_seg.model_file import IMAGE_SIZE, INPUTS, OUTPUTS, THRESHOLD, ModelFile
from lightning_seg.predictor import ClassifiedPicture, DetectedPicture, SegmentedPicture

pytest.importorskip("onnxscript", reason="needs pip install lightning_seg[onnx]")
from lightning_seg.export.drafts import traced
from lightning_seg.export.onnx_draft import OnnxDraft, as_onnx
from lightning_seg.export.whole import kind_of, whole_job

pytestmark = pytest.mark.slow
"""Half a minute for each task; every kind of network is compared by tests/export, these are all of the rest."""
Pair = Callable[..., tuple[Predictor, Predictor]]
SIZE = (20, 24)
TASKS: dict[str, tuple[Callable[[], Any], tuple[int, int] | None]] = {
    "one logit": (lambda: UNetTask(num_classes=1, width=4, depth=2), SIZE),
    "cnn": (lambda: CNNClassifierTask(num_classes=5, image_size=(40, 40)), (40, 40)),
    "detector": (
        lambda: SlidingDetectorTask(backbone="resnet18", weights=None, num_classes=3, window=64, freeze_encoder=False),
        None,
    ),
}


def shaken(task: Any) -> Any:
    """Answers of a network that has learned nothing are all alike."""
    for name, values in task.named_buffers():
        if name.endswith("running_var"):
            values.uniform_(0.3, 0.6)
    return task.eval()


def write_file(path: Path, task: Any, size: tuple[int, int] | None) -> Path:
    kind, inference = kind_of(task), task.make_inference({})
    threshold = getattr(inference, "default_threshold", None)
    values = {IMAGE_SIZE: size, THRESHOLD: threshold}
    further = {name: torch.tensor(values[name]) for name in INPUTS[kind] if values.get(name) is not None}
    model = as_onnx(traced(whole_job(task, size, inference), *further.values()), further, OUTPUTS[kind])
    names = tuple(task.known_class_names())
    knobs = {
        name: getattr(inference, name) for name in ("scales", "windows", "merge", "merge_overlap") if kind == "boxes"
    }
    about = ModelFile(
        kind=kind,
        task=type(task).__name__,
        class_names=names,
        label_names=tuple(task.reported_names()),
        colors=(),
        image_size=size,
        threshold=threshold,
        knobs=knobs,
    )
    path.write_bytes(OnnxDraft(model).content(about))
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The predictors of a task and of its file; files are written once."""
    folder = tmp_path_factory.mktemp("exported")
    made: dict[str, tuple[Any, Path]] = {}

    def predictors(name: str, **options: Any) -> tuple[Predictor, Predictor]:
        make, size = TASKS[name]
        if name not in made:
            torch.manual_seed(0)
            task = shaken(make())
            made[name] = task, write_file(folder / f"{len(made)}.onnx", task, size)
        task, path = made[name]
        return Predictor(task, size, "cpu", **options), Predictor.from_file(path, "cpu", **options)

    return predictors


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small one, a narrow one, one of the size of training, and a JPEG that is decoded at a scale."""
    folder = tmp_path_factory.mktemp("photos")
    sizes = {"a.png": (70, 51), "b.png": (90, 33), "c.png": SIZE, "d.jpg": (330, 410)}
    for seed, (name, (height, width)) in enumerate(sizes.items()):
        rough = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
        Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC).save(folder / name)
    return [folder / name for name in sizes]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("one logit", {}),
        ("one logit", {"tta": "d4"}),
        ("one logit", {"tile": 32, "overlap": 8, "tile_batch": 3}),
        ("one logit", {"threshold": 0.52}),
        ("one logit", {"tile": 48, "overlap": 0, "tta": "hflip"}),
    ],
)
def test_masks(pair: Pair, photos: list[Path], name: str, options: dict[str, Any]) -> None:
    of_task, of_file = pair(name, keep_probs=True, **options)
    classes = set[int]()
    for photo in photos:
        expected: SegmentedPicture = of_task(photo)
        found: SegmentedPicture = of_file(photo)
        assert expected.probs is not None
        assert found.probs is not None
        np.testing.assert_allclose(found.probs, expected.probs, rtol=0, atol=1e-3)
        assert (found.mask != expected.mask).mean() <= 0.001
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-4)
        assert found.entropy == pytest.approx(expected.entropy, abs=1e-4)
        assert found.class_names == expected.class_names
        np.testing.assert_array_equal(found.image, expected.image)
        classes |= set(np.unique(expected.mask).tolist())
    assert len(classes) > 1


@pytest.mark.parametrize("options", [{}, {"tta": "flips"}])
def test_labels(pair: Pair, photos: list[Path], options: dict[str, Any]) -> None:
    of_task, of_file = pair("cnn", **options)
    for photo in photos:
        expected: ClassifiedPicture = of_task(photo)
        found: ClassifiedPicture = of_file(photo)
        assert found.label == expected.label
        assert found.probs == pytest.approx(expected.probs, abs=1e-4)
        assert found.entropy == pytest.approx(expected.entropy, abs=1e-4)
        assert [name for name, _ in found.top(3)] == [name for name, _ in expected.top(3)]


@pytest.mark.parametrize("options", [{}, {"threshold": 0.35}])
def test_boxes(pair: Pair, photos: list[Path], options: dict[str, Any]) -> None:
    of_task, of_file = pair("detector", **options)
    objects = 0
    for photo in photos:
        expected: DetectedPicture = of_task(photo)
        found: DetectedPicture = of_file(photo)
        assert found.labels == expected.labels
        np.testing.assert_allclose(found.boxes, expected.boxes, rtol=0, atol=0.5)
        assert found.scores == pytest.approx(expected.scores, abs=1e-3)
        assert found.heat_maps.keys() == expected.heat_maps.keys()
        for name, heat in found.heat_maps.items():
            np.testing.assert_allclose(heat, expected.heat_maps[name], rtol=0, atol=1e-3)
        objects += len(expected.labels)
        assert found.overlay.size == expected.overlay.size
    assert objects
