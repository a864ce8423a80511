"""``lightning-seg predict`` as a user types it, on a run of one short epoch."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg import MobileNetV2UNetTask
from lightning_seg.__main__ import main
from lightning_seg.tables import read_rows

CONFIGS = Path(__file__).parents[1] / "configs"
SIZE = 64
Table = dict[str, dict[str, str]]
Mistake = Callable[[list[str]], str]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shake(checkpoint: Path) -> None:
    """Other weights in the last layer, so that a network that has hardly learned anything draws all classes."""
    content = torch.load(checkpoint, weights_only=True)
    name = next(name for name in reversed(content["state_dict"]) if name.endswith("weight"))
    content["state_dict"][name].normal_(0, 1, generator=torch.Generator().manual_seed(0))
    torch.save(content, checkpoint)


@pytest.fixture(scope="module")
def trained(pets_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run; tests must leave it as it is."""
    folder = tmp_path_factory.mktemp("predict")
    flags = ["--config", str(CONFIGS / "pets.yaml"), "--config", str(CONFIGS / "overrides" / "demo.yaml")]
    flags += ["--data.source", "real", "--data.root", str(pets_root), "--data.download", "false"]
    flags += ["--data.image_size", str(SIZE), "--data.batch_size", "4", "--data.num_workers", "0"]
    flags += ["--trainer.default_root_dir", str(folder / "runs"), "--trainer.accelerator", "cpu"]
    flags += ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
    flags += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    assert main(["fit", *flags]) == 0
    run = folder / "runs" / "pets" / "version_0"
    shake(run / "checkpoints" / "best.ckpt")
    return run


@pytest.fixture
def run(trained: Path) -> Iterator[Path]:
    """The run, which ``predict`` must not change."""
    before = snapshot(trained)
    yield trained
    after = snapshot(trained)
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == []


@pytest.fixture
def photos(pets_root: Path, tmp_path: Path) -> Path:
    """Three pictures of different sizes, none of them that of the network."""
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = sorted((pets_root / "images").glob("*.jpg"))[:3]
    for name, path, size in zip("abc", paths, [(90, 70), (75, 110), (130, 131)], strict=True):
        Image.open(path).convert("RGB").resize(size).save(folder / f"{name}.png")
    return folder


def predict(run: Path, images: str | Path, output: Path, *flags: str) -> Table:
    assert main(["predict", "--run", str(run), "--images", str(images), "--output", str(output), *flags]) == 0
    return read_table(output)


def read_table(output: Path) -> Table:
    with (output / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = {Path(row["picture"]).stem: row for row in rows}
    assert len(table) == len(rows)
    return table


def read_mask(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path))


def masks_of(output: Path) -> dict[str, NDArray[np.uint8]]:
    return {path.stem: read_mask(path) for path in sorted((output / "masks").rglob("*.png"))}


def sizes_of(folder: Path) -> dict[str, tuple[int, ...]]:
    return {path.stem: Image.open(path).size[::-1] for path in folder.glob("*.png")}


def load(run: Path) -> MobileNetV2UNetTask:
    return MobileNetV2UNetTask.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu").eval()


def test_masks_overlays_and_the_table_are_written(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    table = predict(run, photos / "*.png", output)
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(output)
    assert set(table) == {"a", "b", "c"}
    assert {name: mask.shape for name, mask in masks_of(output).items()} == sizes_of(photos)
    for name, row in table.items():
        mask = read_mask(output / row["mask"])
        counts = [str((mask == index).sum()) for index in range(3)]
        assert [row[f"pixels/{each}"] for each in ("pet", "background", "border")] == counts
        assert Image.open(output / row["overlay"]).size == mask.shape[::-1]
        assert row["picture"] == str(photos / f"{name}.png")
        assert 1 / 3 <= float(row["confidence"]) <= 1
        assert 0 <= float(row["entropy"]) <= 1
    assert len(np.unique(np.concatenate([mask.ravel() for mask in masks_of(output).values()]))) == 3
    assert (output / "most_uncertain.png").is_file()


def test_many_words_may_follow_images(run: Path, photos: Path, tmp_path: Path) -> None:
    """A shell that expands a pattern itself, a folder and a file."""
    (photos / "more").mkdir()
    shutil.copy(photos / "c.png", photos / "more" / "d.png")
    words = [str(photos / "a.png"), str(photos / "b.png"), str(photos / "more")]
    assert main(["predict", "--run", str(run), "--images", *words, "--output", str(tmp_path / "out")]) == 0
    assert sorted(read_table(tmp_path / "out")) == ["a", "b", "d"]
    assert sorted(masks_of(tmp_path / "out")) == ["a", "b", "d"]


def test_a_folder_or_a_file_is_enough(run: Path, photos: Path, tmp_path: Path) -> None:
    folder, file = predict(run, photos, tmp_path / "folder"), predict(run, photos / "b.png", tmp_path / "file")
    assert set(folder) == {"a", "b", "c"}
    assert set(file) == {"b"}
    assert file["b"]["entropy"] == folder["b"]["entropy"]
    np.testing.assert_array_equal(masks_of(tmp_path / "file")["b"], masks_of(tmp_path / "folder")["b"])


def test_a_broken_picture_does_not_stop_the_others(
    run: Path, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = (photos / "a.png").read_bytes()
    (photos / "ab.png").write_bytes(whole[: len(whole) // 2])
    output = tmp_path / "out"
    assert main(["predict", "--run", str(run), "--images", str(photos), "--output", str(output)]) == 3
    assert set(masks_of(output)) == {"a", "b", "c"}
    table = read_table(output)
    assert list(table) == ["a", "ab", "b", "c"], "rows stand in the order of the pictures"
    assert [name for name, row in table.items() if row["error"]] == ["ab"]
    assert f"skipped {table['ab']['error']}" in caplog.messages
    assert str(photos / "ab.png") in table["ab"]["error"]


def test_files_of_an_earlier_prediction_are_said_to_stay(
    run: Path, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "out"
    predict(run, photos, output)
    predict(run, photos, output)
    assert "earlier prediction" not in caplog.text
    predict(run, photos / "a.png", output)
    assert f"{output} still holds files of 2 other pictures of an earlier prediction" in caplog.text
    assert set(masks_of(output)) == {"a", "b", "c"}
    assert set(read_table(output)) == {"a"}


def test_names_that_are_no_unicode_are_kept(run: Path, photos: Path, tmp_path: Path) -> None:
    odd = os.fsencode(photos) + b"/caf\xe9.png"
    (photos / "a.png").rename(os.fsdecode(odd))
    output = tmp_path / "out"
    assert main(["predict", "--run", str(run), "--images", str(photos), "--output", str(output)]) == 0
    assert os.fsdecode(odd) in [row["picture"] for row in read_rows(output / "predictions.csv")]
    assert b"caf\\udce9.png" in (output / "predictions.csv").read_bytes()
    assert Path(os.fsdecode(os.fsencode(output) + b"/masks/caf\xe9.png")).is_file()


def test_nothing_but_broken_pictures_never_reach_the_network(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("asked about nothing")

    monkeypatch.setattr(MobileNetV2UNetTask, "forward", refuse)
    (tmp_path / "broken.png").touch()
    assert main(["predict", "--run", str(run), "--images", str(tmp_path), "--output", str(tmp_path / "out")]) == 3
    assert list(read_table(tmp_path / "out")) == ["broken"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--images", "nothing/*.jpg"], "nothing/*.jpg: no such file, and no file matches it as a pattern"),
        (["--tta", "vflip"], "tta: 'vflip' is not accepted; expected hflip or flips or d4 or null"),
        (["--overlap", "32"], "overlap 32 is of tiles; give --tile, too"),
        (["--tile", "64", "--overlap", "64"], "overlap 64 must be at least 0 and below tile 64"),
        (["--tile", "64", "--overlap", "-1"], "overlap -1"),
        (["--tile", "0"], "tile 0 is too small"),
        (["--tile_batch", "0"], "tile_batch 0 is too small"),
        (["--run", "runs/nowhere"], "runs/nowhere: no run there"),
    ],
)
def test_mistakes_are_one_line(run: Path, photos: Path, mistake: Mistake, flags: list[str], expected: str) -> None:
    assert expected in mistake(["predict", "--run", str(run), "--images", str(photos), *flags])
    assert not Path("predictions").exists()


def test_tiles_show_the_picture_at_its_own_size(run: Path, photos: Path, tmp_path: Path) -> None:
    """Where one tile is larger than the picture and its mirrored surroundings, the network is asked once."""
    predict(run, photos, tmp_path / "tiles", "--tile", "64", "--overlap", "16")
    assert {name: mask.shape for name, mask in masks_of(tmp_path / "tiles").items()} == sizes_of(photos)
    predict(run, photos / "a.png", tmp_path / "one", "--tile", "128", "--overlap", "0")
    # Pictures are 70 x 90 there: mirrored to 128 x 128 on the right and below.
    pixels = np.pad(np.asarray(Image.open(photos / "a.png")), [(0, 58), (0, 38), (0, 0)], mode="reflect")
    with torch.inference_mode():
        logits = load(run)(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    expected = logits[0, :, :70, :90].argmax(0).numpy()
    assert (masks_of(tmp_path / "one")["a"] == expected).mean() > 0.999
    assert (masks_of(tmp_path / "tiles")["a"] != expected).any()


def test_views_are_averaged(run: Path, photos: Path, tmp_path: Path) -> None:
    """At the network's own size, where nothing is resized."""
    small = tmp_path / "small.png"
    Image.open(photos / "b.png").resize((SIZE, SIZE)).save(small)
    table = predict(run, small, tmp_path / "flips", "--tta", "flips", "--keep_probs", "true")
    plain = predict(run, small, tmp_path / "plain")
    task = load(run)
    pixels = np.asarray(Image.open(small))

    def ask(view: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = torch.from_numpy(view.copy()).permute(2, 0, 1)[None]
        with torch.inference_mode():
            answer: NDArray[np.float32] = task(image).softmax(1)[0].permute(1, 2, 0).numpy()
        return answer

    upside_down = pixels[::-1]
    probs = (
        ask(pixels) + ask(pixels[:, ::-1])[:, ::-1] + ask(upside_down)[::-1] + ask(upside_down[:, ::-1])[::-1, ::-1]
    ) / 4
    np.testing.assert_allclose(np.load(tmp_path / "flips" / "probs" / "small.npy"), probs.transpose(2, 0, 1), atol=2e-3)
    best = np.sort(probs, axis=2)
    decided = best[..., 2] - best[..., 1] > 1e-4
    np.testing.assert_array_equal(masks_of(tmp_path / "flips")["small"][decided], probs.argmax(2)[decided])
    entropy = -(probs * np.log(probs)).sum(2).mean() / np.log(3)
    assert float(table["small"]["entropy"]) == pytest.approx(entropy, abs=1e-4)
    assert abs(float(plain["small"]["entropy"]) - entropy) > 1e-3
    assert not (tmp_path / "plain" / "probs").exists()


def test_knobs_are_not_stored(run: Path) -> None:
    """The run was made before they were typed, and the fixture sees to it that it stays as it is."""
    names = {"tile", "overlap", "tile_batch", "tta", "keep_probs", "inference", "images", "output"}
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert not names & content["hyper_parameters"].keys()
    assert not [line for line in (run / "config.yaml").read_text().splitlines() if line.strip().split(":")[0] in names]


def test_without_images_the_test_split_goes_to_the_run(trained: Path, pets_root: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "runs" / "pets" / "version_0"))
    before = snapshot(run)
    assert main(["predict", "--run", str(run), "--tile", "64", "--overlap", "8", "--tta", "hflip"]) == 0
    listed = [line.split()[0] for line in (pets_root / "annotations" / "test.txt").read_text().splitlines()]
    assert sorted(masks_of(run / "predictions")) == sorted(read_table(run / "predictions")) == sorted(listed)
    for name, mask in masks_of(run / "predictions").items():
        assert mask.shape == Image.open(pets_root / "images" / f"{name}.jpg").size[::-1]
    after = snapshot(run)
    added = [name for name in after if name not in before]
    assert all(name.startswith("predictions/") for name in added)
    assert {name: after[name] for name in before} == before


def test_the_data_of_the_run_may_be_gone(run: Path, photos: Path, tmp_path: Path) -> None:
    table = predict(run, photos / "a.png", tmp_path / "out", "--data.root", str(tmp_path / "nowhere"))
    assert table["a"]["width"] == "90"


def test_a_checkpoint_alone_finds_its_run(run: Path, photos: Path, tmp_path: Path) -> None:
    checkpoint = run / "checkpoints" / "best.ckpt"
    flags = ["--images", str(photos / "a.png"), "--output", str(tmp_path / "alone")]
    assert main(["predict", "--ckpt_path", str(checkpoint), *flags]) == 0
    predict(run, photos / "a.png", tmp_path / "run")
    np.testing.assert_array_equal(masks_of(tmp_path / "alone")["a"], masks_of(tmp_path / "run")["a"])


def test_the_given_checkpoint_is_used(run: Path, photos: Path, tmp_path: Path) -> None:
    """The last one was not shaken."""
    output = tmp_path / "out"
    flags = ["--images", str(photos / "a.png"), "--output", str(output), "--keep_probs", "true"]
    assert main(["predict", "--run", str(run), *flags]) == 0
    best = np.load(output / "probs" / "a.npy")
    assert main(["predict", "--run", str(run), "--ckpt_path", str(run / "checkpoints" / "last.ckpt"), *flags]) == 0
    assert np.abs(np.load(output / "probs" / "a.npy").astype(float) - best).max() > 0.01


def test_a_checkpoint_without_its_run_is_a_mistake(run: Path, photos: Path, tmp_path: Path, mistake: Mistake) -> None:
    checkpoint = Path(shutil.copy(run / "checkpoints" / "best.ckpt", tmp_path / "copied.ckpt"))
    line = mistake(["predict", "--ckpt_path", str(checkpoint), "--images", str(photos)])
    assert f"{checkpoint}: no config.yaml" in line


def test_two_processes_write_what_one_does(run: Path, photos: Path, tmp_path: Path) -> None:
    """Three pictures and a broken one, so that the second process has both kinds."""
    (photos / "broken.png").touch()
    flags = ["--run", str(run), "--images", str(photos)]
    assert main(["predict", *flags, "--output", str(tmp_path / "one")]) == 3
    command = [sys.executable, "-m", "lightning_seg", "predict", *flags, "--output", str(tmp_path / "two")]
    command += ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    environment: dict[str, Any] = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, timeout=300, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 3, done.stderr[-3000:]
    assert "1 of 4 pictures could not be read" in done.stderr
    assert done.stdout.strip().splitlines()[-1] == str(tmp_path / "two")
    assert read_table(tmp_path / "two") == read_table(tmp_path / "one")
    assert len(read_table(tmp_path / "one")) == 4
    assert [path.name for path in (tmp_path / "two").glob("*.csv")] == ["predictions.csv"]
    one, two = masks_of(tmp_path / "one"), masks_of(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, mask in one.items():
        np.testing.assert_array_equal(two[name], mask)


def test_files_of_strangers_are_skipped_and_the_good_ones_predicted(run: Path, photos: Path, tmp_path: Path) -> None:
    good = (photos / "a.png").read_bytes()
    broken_exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff\6\0\0\0"
    Image.open(photos / "a.png").save(photos / "broken_exif.jpg", exif=broken_exif)
    bitmap = b"BM" + (58).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    bitmap += (30_000).to_bytes(4, "little") + (20_000).to_bytes(4, "little") + b"\1\0\x18\0" + bytes(28)
    (photos / "bomb.bmp").write_bytes(bitmap)
    Image.new("L", (4, 4)).save(photos / "pages.tif", save_all=True, append_images=[Image.new("L", (4, 4), 9)])
    os.mkfifo(photos / "pipe.png")
    (photos / "loop.png").symlink_to("loop.png")
    (photos / "folder.png").mkdir()
    (photos / ("x" * 250 + ".png")).write_bytes(good)
    (photos / "line\nbreak.png").write_bytes(good)
    (photos / "...png").write_bytes(good)
    output = tmp_path / "out"
    images = [str(photos), str(photos / "...png")]
    assert main(["predict", "--run", str(run), "--images", *images, "--output", str(output)]) == 3
    with (output / "predictions.csv").open(newline="") as file:
        rows = {Path(row["picture"]).name: row["error"] for row in csv.DictReader(file)}
    assert {name for name, error in rows.items() if error} == {"bomb.bmp", "pages.tif", "pipe.png", "loop.png"}
    assert len(rows) == 11
    assert (output / "masks" / "broken_exif.png").is_file()
    assert len(list((output / "masks").iterdir())) == 7
