"""Pictures through ``Predictor``, beside what ``lightning-seg predict`` writes about them."""

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg import MobileNetV2UNetTask, Predictor
from lightning_seg.__main__ import main
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.predictor import SegmentedPicture

CONFIGS = Path(__file__).parents[1] / "configs"
Pixels = NDArray[np.uint8]
NAMES = ("pet", "background", "border")


@pytest.fixture(scope="module")
def run(pets_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run at 64 x 96 pixels, whose best checkpoint draws all classes."""
    folder = tmp_path_factory.mktemp("predictor") / "runs"
    flags = ["--config", str(CONFIGS / "pets.yaml"), "--config", str(CONFIGS / "overrides" / "demo.yaml")]
    flags += ["--data.source", "real", "--data.root", str(pets_root), "--data.download", "false"]
    flags += ["--data.image_size", "[64, 96]", "--data.batch_size", "4", "--data.num_workers", "0"]
    flags += ["--trainer.default_root_dir", str(folder), "--trainer.accelerator", "cpu"]
    flags += ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
    flags += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    assert main(["fit", *flags]) == 0
    checkpoint = folder / "pets" / "version_0" / "checkpoints" / "best.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    name = next(name for name in reversed(content["state_dict"]) if name.endswith("weight"))
    content["state_dict"][name].normal_(0, 1, generator=torch.Generator().manual_seed(0))
    torch.save(content, checkpoint)
    return folder / "pets" / "version_0"


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return Predictor.from_run(run, device="cpu")


@pytest.fixture(scope="module")
def photo(pets_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 90 x 150 pixels."""
    source = sorted((pets_root / "images").glob("*.jpg"))[0]
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    Image.open(source).convert("RGB").resize((150, 90)).save(path)
    return path


def pixels_of(path: Path) -> Pixels:
    return np.asarray(Image.open(path))


def command_mask(run: Path, photo: Path, output: Path, *flags: str) -> Pixels:
    """What the command line writes."""
    words = ["predict", "--run", str(run), "--images", str(photo), "--output", str(output), *flags]
    assert main(words) == 0
    return pixels_of(output / "masks" / f"{photo.stem}.png")


def test_the_result_is_at_the_size_of_the_picture(predictor: Predictor, photo: Path) -> None:
    result = predictor(photo)
    assert result.mask.shape == (90, 150)
    assert result.mask.dtype == np.uint8
    assert set(np.unique(result.mask)) == {0, 1, 2}
    np.testing.assert_array_equal(result.image, pixels_of(photo))
    assert result.class_names == NAMES
    assert result.probs is None
    assert 1 / 3 <= result.confidence <= 1
    assert 0 <= result.entropy <= 1


def test_the_overlay_is_the_picture_tinted_by_class(predictor: Predictor, photo: Path) -> None:
    result = predictor(photo)
    assert result.overlay.size == (150, 90)
    # Orange and sky blue; the background is black, where it is asked for.
    colours = np.array([[230, 159, 0], [0, 0, 0], [86, 180, 233]], float)
    tinted = (colours[result.mask] + pixels_of(photo)) / 2
    expected = np.where(result.mask[..., None] == NAMES.index("background"), pixels_of(photo), tinted)
    np.testing.assert_allclose(np.asarray(result.overlay), expected, atol=1)
    np.testing.assert_allclose(np.asarray(result.draw(tint_background=True)), tinted, atol=1)


@pytest.mark.parametrize("flags", [{}, {"tta": "d4"}, {"tile": 64, "overlap": 16}])
def test_masks_equal_those_that_predict_writes(run: Path, photo: Path, tmp_path: Path, flags: dict[str, Any]) -> None:
    typed = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    result = Predictor.from_run(run, **flags)(photo)
    np.testing.assert_array_equal(result.mask, command_mask(run, photo, tmp_path, *typed))


def test_a_jpeg_file_is_seen_as_predict_sees_it(run: Path, tmp_path: Path) -> None:
    """At half its size, since the network sees 64x96 pixels; the picture that is handed back is whole."""
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.jpg", quality=60)
    result = Predictor.from_run(run, device="cpu")(tmp_path / "large.jpg")
    np.testing.assert_array_equal(result.mask, command_mask(run, tmp_path / "large.jpg", tmp_path))
    np.testing.assert_array_equal(result.image, pixels_of(tmp_path / "large.jpg"))
    with (tmp_path / "predictions.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert result.entropy == pytest.approx(float(row["entropy"]), abs=1.5e-5)
    assert result.confidence == pytest.approx(float(row["confidence"]), abs=1.5e-5)


def test_probabilities_are_those_of_the_task(run: Path, photo: Path) -> None:
    """A picture of the size that the network was trained at, which nobody resizes."""
    small = np.asarray(Image.open(photo).resize((96, 64)))
    result = Predictor.from_run(run, device="cpu", keep_probs=True)(small)
    task = MobileNetV2UNetTask.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu").eval()
    with torch.inference_mode():
        probs = task(torch.from_numpy(small.copy()).permute(2, 0, 1)[None]).softmax(1)[0].numpy()
    assert result.probs is not None
    assert result.probs.dtype == np.float16
    np.testing.assert_allclose(result.probs.astype(float), probs, atol=1e-3)
    assert result.confidence == pytest.approx(probs.max(0).mean(), abs=1e-4)
    assert result.entropy == pytest.approx(-(probs * np.log(probs)).sum(0).mean() / np.log(3), abs=1e-4)


@pytest.mark.parametrize("options", [{}, {"tile": 64, "overlap": 0}])
def test_files_arrays_and_pillow_images_are_the_same(run: Path, photo: Path, options: dict[str, Any]) -> None:
    """Also where nothing is resized on the way to the network."""
    predictor = Predictor.from_run(run, device="cpu", **options)
    expected = predictor(photo)
    read_only = pixels_of(photo)
    assert not read_only.flags.writeable
    doubled = np.repeat(read_only, 2, axis=1)
    kinds: list[Any] = [str(photo), Image.open(photo), read_only, read_only.copy(), np.asfortranarray(read_only)]
    for image in [*kinds, doubled[:, ::2], read_only[::-1].copy()[::-1]]:
        result = predictor(image)
        np.testing.assert_array_equal(result.mask, expected.mask)
        np.testing.assert_array_equal(result.image, expected.image)
        assert result.entropy == pytest.approx(expected.entropy, abs=1e-6)


@pytest.fixture
def repeated_warnings() -> Iterator[None]:
    """torch gives some warnings once per process."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


@pytest.mark.usefixtures("repeated_warnings")
@pytest.mark.filterwarnings("error:.*not writable")
def test_a_read_only_array_needs_no_warning(run: Path, photo: Path) -> None:
    pixels = pixels_of(photo)
    assert not pixels.flags.writeable
    assert Predictor.from_run(run, device="cpu", tile=64, overlap=0)(pixels).mask.shape == (90, 150)


def test_grey_pictures_are_shown_in_three_channels(predictor: Predictor, photo: Path, tmp_path: Path) -> None:
    grey = Image.open(photo).convert("L")
    grey.save(tmp_path / "grey.png")
    colours = np.stack([np.asarray(grey)] * 3, axis=2)
    expected = predictor(colours).mask
    kinds: list[Any] = [np.asarray(grey), grey, tmp_path / "grey.png"]
    for image in kinds:
        result = predictor(image)
        np.testing.assert_array_equal(result.image, colours)
        np.testing.assert_array_equal(result.mask, expected)


def test_pillow_images_and_files_are_turned_upright(predictor: Predictor, photo: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = pixels_of(photo)
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "phone.png", exif=exif)
    expected = predictor(upright).mask
    for image in (tmp_path / "phone.png", Image.open(tmp_path / "phone.png")):
        np.testing.assert_array_equal(predictor(image).image, upright)
        np.testing.assert_array_equal(predictor(image).mask, expected)


def test_a_picture_with_transparency_or_a_palette_is_taken(predictor: Predictor, photo: Path) -> None:
    picture = Image.open(photo)
    for mode in ("RGBA", "CMYK", "P"):
        converted = picture.convert(mode)
        np.testing.assert_array_equal(predictor(converted).image, np.asarray(converted.convert("RGB")))


def test_the_users_array_is_left_alone(predictor: Predictor, photo: Path) -> None:
    pixels = pixels_of(photo).copy()
    before = pixels.copy()
    assert predictor(pixels).overlay.size == (150, 90)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.int64),
        np.zeros((8, 8), bool),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 0), np.uint8),
        np.zeros(8, np.uint8),
    ],
    ids=lambda array: f"{array.dtype}-{'x'.join(map(str, array.shape))}",
)
def test_other_arrays_are_refused(predictor: Predictor, array: Any) -> None:
    with pytest.raises(DataError) as error:
        predictor(array)
    message = (
        f"an array of shape {array.shape} and type {array.dtype} is no picture; give (H, W, 3) uint8 RGB or (H, W)"
    )
    assert str(error.value) == message


def test_broken_files_are_refused(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    for name in ("text.jpg", "missing.jpg"):
        with pytest.raises(DataError, match=name):
            predictor(tmp_path / name)


def test_a_run_is_found_by_folder_name_or_file(
    run: Path, photo: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = predictor(photo)
    copied = shutil.copy(run / "checkpoints" / "best.ckpt", tmp_path / "model.ckpt")
    monkeypatch.chdir(run.parents[2])
    for path in ("runs/pets", Path("runs/pets/version_0"), copied, run / "checkpoints" / "best.ckpt"):
        result = Predictor.from_run(path, device="cpu")(photo)
        np.testing.assert_array_equal(result.mask, expected.mask)
        assert result.class_names == NAMES
        assert result.entropy == expected.entropy
    last: SegmentedPicture = Predictor.from_run(run / "checkpoints" / "last.ckpt", device="cpu")(photo)
    assert abs(last.entropy - expected.entropy) > 1e-3


def test_the_newest_version_of_a_name_is_taken(run: Path, tmp_path: Path) -> None:
    for version in ("version_2", "version_10"):
        (tmp_path / version / "checkpoints").mkdir(parents=True)
        (tmp_path / version / "config.yaml").touch()
    shutil.copy(run / "checkpoints" / "best.ckpt", tmp_path / "version_10" / "checkpoints" / "best.ckpt")
    assert Predictor.from_run(tmp_path).class_names == NAMES


def test_tiles_show_the_picture_at_its_own_size(run: Path, photo: Path) -> None:
    """One tile that holds the picture and its mirror images."""
    result = Predictor.from_run(run, device="cpu", tile=160, overlap=0)(photo)
    task = MobileNetV2UNetTask.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu").eval()
    pixels = np.pad(pixels_of(photo), [(0, 70), (0, 10), (0, 0)], mode="reflect")
    with torch.inference_mode():
        logits = task(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    assert (result.mask == logits[0, :, :90, :150].argmax(0).numpy()).mean() > 0.999
    assert (result.mask != Predictor.from_run(run, device="cpu")(photo).mask).any()


def test_a_symmetric_answer_needs_views(run: Path, photo: Path) -> None:
    """With mirror images as views, the mirrored picture has the mirrored answer."""
    pixels = pixels_of(photo)
    options: dict[str, Any]
    for options, is_symmetric in (({}, False), ({"tta": "hflip"}, True)):
        ask: Callable[[Pixels], SegmentedPicture] = Predictor.from_run(run, device="cpu", keep_probs=True, **options)
        plain, mirrored = ask(pixels).probs, ask(pixels[:, ::-1]).probs
        assert plain is not None
        assert mirrored is not None
        assert (np.abs(plain.astype(float) - mirrored[..., ::-1]).max() < 2e-3) == is_symmetric


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tta": "vflip"}, "tta 'vflip' does not exist; choose hflip, flips, d4"),
        ({"tile": 32}, "overlap 64 must be at least 0 and below tile 32"),
        ({"tile": 0}, "tile 0 is too small"),
    ],
)
def test_impossible_options_are_refused(run: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Predictor.from_run(run, **options)


def test_a_file_that_is_no_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    (tmp_path / "empty.ckpt").touch()
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    whole = (run / "checkpoints" / "best.ckpt").read_bytes()
    (tmp_path / "truncated.ckpt").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "empty", "foreign", "list", "truncated"):
        with pytest.raises(ConfigError, match=f"{name}.ckpt: not a checkpoint that lightning_seg has trained"):
            Predictor.from_run(tmp_path / f"{name}.ckpt")


def test_a_class_that_cannot_be_imported_is_named(run: Path, tmp_path: Path) -> None:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["lightning_seg"]["task"] = "nowhere.at_all.OwnTask"
    torch.save(content, tmp_path / "own.ckpt")
    with pytest.raises(ConfigError, match=r"own.ckpt: its class nowhere.at_all.OwnTask cannot be imported"):
        Predictor.from_run(tmp_path / "own.ckpt")


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_without_a_run_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no run there"):
        Predictor.from_run(tmp_path / name)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_a_pillow_image_of_many_bits_is_refused_as_its_file_is(run: Path, mode: str) -> None:
    with pytest.raises(DataError, match="the Pillow image: grey of more than 8 bits per pixel"):
        Predictor.from_run(run, device="cpu")(Image.new(mode, (20, 20)))


def test_a_device_that_is_not_there_is_one_line(run: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ConfigError, match="device cuda: cannot be used here"):
        Predictor.from_run(run, device="cuda")
