"""Any pipeline of Albumentations: from a config through the command line, its draws, and what it does to masks."""

from collections import Counter
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import pytest
import torch
import yaml

from lightning_seg import OxfordPetsDataModule
from lightning_seg.__main__ import main
from lightning_seg.augmentation.checks import check_fill
from lightning_seg.augmentation.pipelines import resolve_pipeline
from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.augmentation.transforms import Transform
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.plots.previews import Cell, draw_preview

CONFIG = str(Path(__file__).parents[2] / "configs" / "pets.yaml")
PETS = ("pet", "background", "border")
NESTED = """
- HorizontalFlip
- class_path: albumentations.RandomBrightnessContrast
  init_args: {brightness_limit: 0.2, p: 1.0}
- class_path: OneOf
  init_args:
    p: 1.0
    transforms:
    - class_path: albumentations.VerticalFlip
      init_args: {p: 1.0}
    - class_path: albumentations.SomeOf
      init_args:
        n: 2
        transforms:
        - class_path: RandomRotate90
        - class_path: Affine
          init_args: {scale: [0.8, 1.2], rotate: [-20, 20], fill_mask: 255}
        - class_path: albumentations.Sequential
          init_args:
            transforms: [{class_path: GaussNoise}, Transpose]
"""


def nested() -> list[Transform]:
    """What NESTED says."""
    some = [
        A.RandomRotate90(),
        A.Affine(scale=(0.8, 1.2), rotate=(-20, 20), fill_mask=255),
        A.Sequential([A.GaussNoise(), A.Transpose()]),
    ]
    one = A.OneOf([A.VerticalFlip(p=1.0), A.SomeOf(some, n=2)], p=1.0)
    return [A.HorizontalFlip(), A.RandomBrightnessContrast(brightness_limit=0.2, p=1.0), one]


def scene() -> tuple[Array, Array]:
    """Noise without black pixels, and a mask of the classes 1 and 2."""
    image = np.random.default_rng(0).integers(50, 200, (64, 64, 3)).astype(np.uint8)
    mask = np.ones((64, 64), np.uint8)
    cv2.circle(mask, (25, 20), 16, 2, -1)
    return image, mask


def flags_of(root: Path, tmp_path: Path, augment: str) -> list[str]:
    """The config of the pets with the pipeline laid over it by a second file."""
    init_args = {"augment": yaml.safe_load(augment), "root": str(root), "download": False, "cache": False}
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump({"data": {"init_args": init_args}}))
    sizes = ["--data.image_size", "32", "--data.batch_size", "4", "--data.num_workers", "0"]
    return ["--config", CONFIG, "--config", str(config), *sizes]


# A pipeline in a config.


@pytest.mark.parametrize("typed", [False, True], ids=["file", "typed"])
def test_a_config_says_what_python_says(
    pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: bool
) -> None:
    drawn: list[Cell] = []

    def draw(cells: list[Cell], *rest: Any) -> Any:
        drawn.extend(cells)
        return draw_preview(cells[:1], *rest)

    monkeypatch.setattr("lightning_seg.commands.preview.draw_preview", draw)
    flags = flags_of(pets_root, tmp_path, "false" if typed else NESTED)
    flags += ["--data.augment", yaml.safe_dump(yaml.safe_load(NESTED), default_flow_style=True)] if typed else []
    assert main(["preview", *flags, "--variants", "12", "--output", str(tmp_path / "preview.png")]) == 0
    data = OxfordPetsDataModule(pets_root, image_size=32, augment=nested())
    data.setup("fit")
    assert len({cell.image.numpy().tobytes() for cell in drawn}) == 12
    for epoch, cell in enumerate(drawn):
        sample = data.datasets["train"][epoch, 0]
        assert cell.mask is not None
        assert torch.equal(cell.image, sample["image"])
        assert torch.equal(cell.mask, sample["mask"])


def test_all_ways_to_name_a_transform_are_equal() -> None:
    specs = ["HorizontalFlip", "albumentations.HorizontalFlip", {"class_path": "HorizontalFlip"}, A.HorizontalFlip()]
    specs += [{"class_path": "albumentations.HorizontalFlip", "init_args": {"p": 0.5}}]
    assert [repr(transform) for transform in resolve_pipeline(specs, "flip")] == ["HorizontalFlip(p=0.5)"] * 5


def test_a_run_keeps_its_pipeline(pets_root: Path, tmp_path: Path) -> None:
    """As plain class_path and init_args, also when the run goes on."""
    flags = ["--model.encoder_weights", "null", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    flags += ["--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    flags += ["--trainer.enable_progress_bar", "false", "--trainer.default_root_dir", str(tmp_path / "runs")]
    assert main(["fit", *flags_of(pets_root, tmp_path, NESTED), *flags]) == 0
    folder = tmp_path / "runs" / "pets" / "version_0"
    first = yaml.safe_load((folder / "config.yaml").read_text())["data"]["init_args"]["augment"]
    assert repr(resolve_pipeline(first, "flip")) == repr(nested())
    one = next(item for item in first if isinstance(item, dict) and item["class_path"].endswith("OneOf"))
    assert one["init_args"]["transforms"][1]["class_path"].endswith("SomeOf")
    assert main(["fit", "--run", str(folder), "--trainer.max_epochs", "2"]) == 0
    second = yaml.safe_load((folder / "config.yaml").read_text())["data"]["init_args"]["augment"]
    assert repr(resolve_pipeline(second, "flip")) == repr(nested())


MISTAKES = {
    "RandomBrightnessContrast has no argument 'brightnes_limit'; did you mean 'brightness_limit'?": (
        "[{class_path: RandomBrightnessContrast, init_args: {brightnes_limit: 0.2}}]"
    ),
    "OneOf has no argument 'transform'; did you mean 'transforms'?": "[{class_path: OneOf, init_args: {transform: 1}}]",
    "Affine has no argument 'scal'; did you mean 'scale'?": (
        "[{class_path: OneOf, init_args: {transforms: [{class_path: albumentations.Affine, init_args: {scal: 1}}]}}]"
    ),
    "RandomBrightnessContrast: brightness_limit 'abc': Input should be a valid tuple or Input should be a valid n": (
        "[{class_path: albumentations.RandomBrightnessContrast, init_args: {brightness_limit: abc}}]"
    ),
    "HorizontalFlip: p 2: Input should be less than or equal to 1": "[{class_path: HorizontalFlip, init_args: {p: 2}}]",
    "Downscale: scale_range [0.5, 0.2]: First value should be less than the second value": (
        "[{class_path: Downscale, init_args: {scale_range: [0.5, 0.2]}}]"
    ),
    "RandomCrop: height is missing, give init_args: {height: VALUE}": "[{class_path: RandomCrop}]",
    "no transform 'HorizontalFlipp'; did you mean 'HorizontalFlip'?": "[{class_path: HorizontalFlipp}]",
    "no transform 'albumentations.VerticalFlipp'; did you mean": "[{class_path: albumentations.VerticalFlipp}]",
    "no transform 'torch.nn.Linear'": "[{class_path: torch.nn.Linear}]",
    "no transform 'nowhere.Flip'": "[nowhere.Flip]",
    "'args' cannot stand beside class_path; arguments go under init_args": "[{class_path: NoOp, args: {p: 0.5}}]",
    "3 is no transform; write {class_path: ": "[{class_path: OneOf, init_args: {transforms: [3]}}]",
    "{'p': 1} is no transform; write {class_path: ": "[{p: 1}]",
    "init_args 0.5 of NoOp must name its values": "[{class_path: NoOp, init_args: 0.5}]",
    "Affine mask_interpolation 1 would mix the numbers of classes": (
        "[{class_path: Affine, init_args: {mask_interpolation: 1}}]"
    ),
    "Rotate fill_mask 7.0 is no class; give 0 to 2, or 255": "[{class_path: Rotate, init_args: {fill_mask: 7}}]",
    "PixelDropout mask_drop_value 9.0 is no class": "[{class_path: PixelDropout, init_args: {mask_drop_value: 9}}]",
    "augment: RandomCrop fails with CropSizeError: Crop size (height, width) exceeds": (
        "[{class_path: RandomCrop, init_args: {height: 64, width: 64}}]"
    ),
    "Mosaic requires ['mosaic_metadata']": "[{class_path: Mosaic, init_args: {p: 1}}]",
    "augment leaves an image of float32 (32, 32, 3)": "[{class_path: Normalize, init_args: {p: 1}}]",
    "augment leaves an image of torch.uint8 (3, 32, 32)": "[ToTensorV2]",
    "CubicSymmetry fails with KeyError: 'volume'": "[{class_path: CubicSymmetry, init_args: {p: 1}}]",
}


@pytest.mark.parametrize("expected", MISTAKES)
def test_a_mistake_is_one_line(
    pets_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["preview", *flags_of(pets_root, tmp_path, MISTAKES[expected])]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("lightning-seg: error: augment")]
    assert len(lines) == 1
    assert expected in lines[0]
    assert not (tmp_path / "preview.png").exists()


@pytest.mark.parametrize("number", [0, 2, 3, 4])
def test_fit_says_the_same_before_it_trains(
    pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: int
) -> None:
    monkeypatch.chdir(tmp_path)
    expected, augment = list(MISTAKES.items())[number]
    flags = [*flags_of(pets_root, tmp_path, augment), "--model.encoder_weights", "null", "--trainer.accelerator", "cpu"]
    assert main(["fit", *flags]) == 2
    assert f"lightning-seg: error: augment: {expected}" in capfd.readouterr().err
    assert not (tmp_path / "runs").exists()


# A pipeline from Python.


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_albumentations_only_warns_about_is_refused() -> None:
    with pytest.raises(ConfigError, match="Affine has no argument 'scal'; did you mean 'scale'"):
        resolve_pipeline([A.OneOf([A.Affine(scal=1.2), A.NoOp()])], "flip")


def test_a_container_cannot_interpolate_masks_either() -> None:
    container = A.Compose([A.Resize(8, 8)], mask_interpolation=cv2.INTER_LINEAR)
    with pytest.raises(ConfigError, match="Resize mask_interpolation 1 would mix"):
        resolve_pipeline([container], "flip")
    assert resolve_pipeline([A.Resize(8, 8, mask_interpolation=cv2.INTER_NEAREST_EXACT)], "flip")


# Draws.


def corner(mask: Array) -> tuple[int, int]:
    """Where the one marked pixel of a 2x2 mask has gone."""
    row, column = np.argwhere(mask == 1)[0]
    return int(row), int(column)


def test_transforms_are_drawn_independently() -> None:
    """Of two flips with p=0.5, all four outcomes are equally frequent: 100 +- 5 standard deviations of 8.7 in 400."""
    pipeline = SeededPipeline([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
    image, mask = np.zeros((2, 2, 3), np.uint8), np.array([[1, 0], [0, 0]], np.uint8)
    counts = Counter(corner(pipeline(image, mask, (epoch, 0))[1]) for epoch in range(400))
    assert len(counts) == 4
    assert all(56 < count < 144 for count in counts.values())


def test_a_choice_does_not_depend_on_the_transforms_before_it() -> None:
    """A left-right flip or not, then one of a top-bottom flip and nothing: again four equally frequent outcomes."""
    one = A.OneOf([A.VerticalFlip(p=1.0), A.NoOp(p=1.0)], p=1.0)
    pipeline = SeededPipeline([A.HorizontalFlip(p=0.5), one])
    image, mask = np.zeros((2, 2, 3), np.uint8), np.array([[1, 0], [0, 0]], np.uint8)
    counts = Counter(corner(pipeline(image, mask, (0, index))[1]) for index in range(400))
    assert len(counts) == 4
    assert all(56 < count < 144 for count in counts.values())


def test_draws_of_nested_transforms_depend_on_the_key_alone() -> None:
    image, mask = scene()
    keys = [(epoch, index) for epoch in range(4) for index in range(4)]
    first, second = SeededPipeline(nested(), seed=3), SeededPipeline(nested(), seed=3)
    forward = {key: first(image, mask, key) for key in keys}
    np.random.seed(5)  # noqa: NPY002
    cv2.setRNGSeed(7)
    backward = {key: second(image, mask, key) for key in reversed(keys)}
    for key in keys:
        assert np.array_equal(forward[key][0], backward[key][0])
        assert np.array_equal(forward[key][1], backward[key][1])
    assert len({drawn.tobytes() for drawn, _ in forward.values()}) == len(keys)
    other = SeededPipeline(nested(), seed=4)
    assert not any(np.array_equal(other(image, mask, key)[0], forward[key][0]) for key in keys)


# Masks.

ARGUMENTS: dict[str, dict[str, Any]] = {
    "Affine": {"rotate": (-40, 40)},
    "CenterCrop": {"height": 32, "width": 32},
    "Crop": {"x_max": 50, "y_max": 50},
    "CropAndPad": {"px": 5},
    "CropNonEmptyMaskIfExists": {"height": 32, "width": 32},
    "LongestMaxSize": {"max_size": 77},
    "Pad": {"padding": 9},
    "PadIfNeeded": {"min_height": 99, "min_width": 99},
    "RandomCrop": {"height": 32, "width": 32},
    "RandomResizedCrop": {"size": (32, 32)},
    "RandomSizedCrop": {"min_max_height": (20, 60), "size": (32, 32)},
    "Resize": {"height": 30, "width": 50},
    "SmallestMaxSize": {"max_size": 77},
}
# They need other things than a picture and its mask.
OTHER_TARGETS = {"AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "RandomCropNearBBox", "RandomSizedBBoxSafeCrop"}
OTHER_TARGETS |= {"CubicSymmetry", "Mosaic", "OverlayElements", "DualTransform", "Lambda"}
# The only one whose borders cannot be given another class.
FIXED = {"GridElasticDeform"}
SPATIAL = [
    name
    for name, kind in vars(A).items()
    if isinstance(kind, type) and issubclass(kind, A.DualTransform) and "3D" not in name
    if name not in OTHER_TARGETS | FIXED
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SPATIAL)
def test_whatever_invents_class_0_is_warned_about(name: str, caplog: pytest.LogCaptureFixture) -> None:
    image, mask = scene()
    transforms = resolve_pipeline([getattr(A, name)(p=1.0, **ARGUMENTS.get(name, {}))], "flip")
    pipeline = SeededPipeline(transforms)
    values = set().union(*(np.unique(pipeline(image, mask, (epoch, 0))[1]).tolist() for epoch in range(6)))
    check_fill(transforms, PETS)
    assert values <= {0, 1, 2}
    if 0 in values:
        assert f"augment: {name} calls the pixels that it invents 'pet', class 0; give it fill_mask 255" in caplog.text


def test_the_warning_ends_where_invented_pixels_have_a_class(caplog: pytest.LogCaptureFixture) -> None:
    quiet = [A.Rotate(fill_mask=255), A.Rotate(border_mode=cv2.BORDER_REFLECT_101), A.Rotate(fill_mask=1)]
    quiet += [A.RandomCrop(8, 8), A.HorizontalFlip(), A.CoarseDropout()]
    check_fill([A.OneOf(quiet)], PETS)
    check_fill([A.Rotate()], ("background", "car"))
    assert not caplog.records
    check_fill([A.OneOf([A.Rotate(), A.NoOp()]), A.RandomCrop(8, 8, pad_if_needed=True)], PETS)
    assert ["Rotate" in record.message for record in caplog.records] == [True, False]


@pytest.mark.parametrize("name", ["flip_affine_colour", "flip_rotate_colour", "flip_affine_brightness", "flip"])
def test_shipped_pipelines_give_no_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    check_fill(resolve_pipeline(name, "flip"), PETS)
    assert not caplog.records
