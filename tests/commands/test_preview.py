"""A preview through the command line: its cells are what the loader gives, its mistakes are one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from matplotlib.figure import Figure
from PIL import Image

from lightning_seg import OxfordPetsDataModule
from lightning_seg.__main__ import main
from lightning_seg.augmentation.mixing import Mixing
from lightning_seg.augmentation.seeding import TrainSampler
from lightning_seg.commands.data_flags import keep_data
from lightning_seg.commands.preview import _caption
from lightning_seg.images import read_image_at
from lightning_seg.plots.previews import TITLE_LENGTH, Cell, Masks, draw_preview

CONFIG = str(Path(__file__).parents[2] / "configs" / "pets.yaml")
Preview = Callable[..., list[Cell]]


def flags_of(root: Path, *more: str) -> list[str]:
    flags = ["--config", CONFIG, "--data.root", str(root), "--data.download", "false", "--data.cache", "false"]
    return [*flags, "--data.image_size", "32", "--data.batch_size", "4", "--data.num_workers", "0", *more]


@pytest.fixture
def preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preview:
    """Runs the command in an empty folder and returns its cells; only one of them is drawn, to be quick."""
    monkeypatch.chdir(tmp_path)
    drawn: list[Cell] = []

    def draw(
        cells: list[Cell], class_names: tuple[str, ...], columns: int | None, masks: Masks, tint_background: bool
    ) -> Figure:
        drawn.extend(cells)
        return draw_preview(cells[:1], class_names, columns, masks, tint_background)

    monkeypatch.setattr("lightning_seg.commands.preview.draw_preview", draw)

    def run(*flags: str) -> list[Cell]:
        drawn.clear()
        assert main(["preview", *flags]) == 0
        return list(drawn)

    return run


@pytest.fixture
def data(pets_root: Path) -> OxfordPetsDataModule:
    """The same arguments without the command line."""
    data = OxfordPetsDataModule(pets_root, image_size=32, batch_size=4, num_workers=0)
    data.setup("fit")
    return data


def assert_shows(cell: Cell, sample: Any, title: str) -> None:
    assert cell.mask is not None
    assert torch.equal(cell.image, sample["image"])
    assert torch.equal(cell.mask, sample["mask"])
    assert cell.title == title


def plain(root: Path, name: str) -> np.ndarray:
    """The picture of a file as the network would see it without draws."""
    return read_image_at(root / "images" / name, (32, 32)).pixels


def test_the_grid_is_the_beginning_of_an_epoch(preview: Preview, pets_root: Path, data: OxfordPetsDataModule) -> None:
    cells = preview(*flags_of(pets_root, "--num_images", "6", "--epoch", "3"))
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, TrainSampler)
    loader.sampler.set_epoch(3)
    keys = list(loader.sampler)[:6]
    assert {epoch for epoch, _ in keys} == {3}
    assert len(cells) == 6
    first = next(iter(loader))
    for position, (cell, key) in enumerate(zip(cells, keys, strict=True)):
        sample = data.datasets["train"][key]
        assert_shows(cell, sample, Path(sample["path"]).name)
        if position < 4:
            assert torch.equal(cell.image, first["image"][position])


def test_variants_are_the_draws_of_one_picture(preview: Preview, pets_root: Path, data: OxfordPetsDataModule) -> None:
    cells = preview(*flags_of(pets_root, "--variants", "4", "--index", "5", "--epoch", "2"))
    assert len(cells) == 4
    for epoch, cell in zip(range(2, 6), cells, strict=True):
        assert_shows(cell, data.datasets["train"][epoch, 5], f"epoch {epoch}")
    assert len({cell.image.numpy().tobytes() for cell in cells}) == 4


def test_compare_shows_each_picture_without_its_draws(preview: Preview, pets_root: Path) -> None:
    alone = preview(*flags_of(pets_root, "--num_images", "3"))
    cells = preview(*flags_of(pets_root, "--num_images", "3", "--compare"))
    assert [cell.title for cell in cells[1::2]] == ["epoch 0"] * 3
    for before, after, cell in zip(cells[::2], cells[1::2], alone, strict=True):
        assert torch.equal(after.image, cell.image)
        assert before.title == cell.title
        assert np.array_equal(before.image.permute(1, 2, 0), plain(pets_root, before.title))


def test_compared_variants_begin_with_the_picture_itself(preview: Preview, pets_root: Path) -> None:
    first, *others = preview(*flags_of(pets_root, "--compare", "--variants", "2", "--index", "1"))
    assert np.array_equal(first.image.permute(1, 2, 0), plain(pets_root, first.title))
    assert [cell.title for cell in others] == ["epoch 0", "epoch 1"]


def test_without_pipeline_pictures_are_only_resized(
    preview: Preview, pets_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell in preview(*flags_of(pets_root, "--num_images", "5", "--data.augment", "false")):
        assert np.array_equal(cell.image.permute(1, 2, 0), plain(pets_root, cell.title))
    capsys.readouterr()
    cells = preview(*flags_of(pets_root, "--variants", "3", "--data.augment", "false"))
    assert capsys.readouterr().out.splitlines() == ["augment is false: all variants are the same", "preview.png"]
    assert len({cell.image.numpy().tobytes() for cell in cells}) == 1


def test_few_pictures_are_all_shown(
    preview: Preview, pets_root: Path, data: OxfordPetsDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = preview(*flags_of(pets_root, "--num_images", "99", "--data.batch_size", "1"))
    names = [Path(sample["path"]).name for sample in data.datasets["train"]]  # type: ignore[attr-defined]
    assert sorted(cell.title for cell in cells) == sorted(names)
    assert f"{len(names)} pictures: an epoch has no more" in capsys.readouterr().out


def test_pictures_of_different_sizes(preview: Preview, pets_root: Path) -> None:
    cells = preview(*flags_of(pets_root, "--data.image_size", "null", "--data.batch_size", "1", "--num_images", "5"))
    for cell in cells:
        with Image.open(pets_root / "images" / cell.title) as picture:
            assert picture.size == (cell.image.shape[2], cell.image.shape[1])
    assert len({cell.image.shape for cell in cells}) > 1


def test_the_file_repeats_and_follows_the_epoch(
    pets_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "new" / "folder" / name for name in ("a.png", "b.png", "c.png", "d.jpg")]
    for path, epoch in zip(paths, ("0", "0", "1", "1"), strict=True):
        assert (
            main(["preview", *flags_of(pets_root, "--num_images", "4", "--output", str(path), "--epoch", epoch)]) == 0
        )
        assert capsys.readouterr().out.splitlines() == [str(path)]
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()
    for path in paths:
        picture = np.asarray(Image.open(path).convert("RGB"))
        # Two by two cells of 240 pixels, with room for titles and a legend.
        assert picture.shape[1] == 480
        assert 480 < picture.shape[0] < 600


def write(path: Path, content: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_configs_are_laid_over_each_other(preview: Preview, pets_root: Path, tmp_path: Path) -> None:
    """Whatever else they hold: later files win over earlier ones, typed flags over files."""
    nonsense = {"model": {"class_path": "NoSuchTask"}, "trainer": {"no_such": 1}, "anything": 2}
    first = {"class_path": "OxfordPetsDataModule", "init_args": {"root": str(pets_root), "image_size": 16}}
    second = {"image_size": 24, "batch_size": 2, "augment": ["HorizontalFlip"]}
    configs = ["--config", write(tmp_path / "first.yaml", {**nonsense, "data": first})]
    configs += [f"--config={write(tmp_path / 'second.yaml', {'data': {'init_args': second}})}"]
    assert preview("--num_images", "2", *configs)[0].image.shape == (3, 24, 24)
    assert preview("--data.image_size", "8", *configs, "--num_images=2")[0].image.shape == (3, 8, 8)
    third = write(tmp_path / "third.yaml", {"data": {"init_args": {"augment+": [{"class_path": "NoOp"}]}}})
    assert len(preview(*configs, "-c", third, "--variants", "2")) == 2


def test_mixed_pictures_are_shown_as_the_network_sees_them(
    preview: Preview, pets_root: Path, data: OxfordPetsDataModule
) -> None:
    cells = preview(*flags_of(pets_root, "--num_images", "4", "--data.mixing", "{kind: both, prob: 1.0}"))
    data.mixing = Mixing("both", prob=1.0)
    batch = next(iter(data.train_dataloader()))
    assert torch.equal(torch.stack([cell.image for cell in cells]), batch["image"])
    for cell, mask, lam, path in zip(cells, batch["mask"], batch["lam"].tolist(), batch["path"], strict=True):
        assert cell.mask is not None
        assert torch.equal(cell.mask, mask)
        name = Path(path).name
        # CutMix leaves one mask, Mixup two, of which the first is drawn.
        assert cell.title == (name if lam == 1 else f"{lam:.2f} of {name}")
    assert {lam == 1 for lam in batch["lam"].tolist()} == {True, False}


FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def flowers_flags(root: Path, *more: str) -> list[str]:
    return ["--data", "FlowersDataModule", "--data.root", str(root), "--data.image_size", "32", *more]


def test_labelled_pictures_are_captioned_with_their_classes(preview: Preview, flowers_root: Path) -> None:
    cells = preview(*flowers_flags(flowers_root, "--num_images", "9", "--data.batch_size", "9"))
    assert len(cells) == 9
    for cell in cells:
        name, _, file = cell.title.partition(": ")
        assert (flowers_root / name / file).is_file()
        assert cell.mask is None


def test_variants_are_not_mixed_and_that_is_said(
    preview: Preview, flowers_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data", "FlowersDataModule", "--data.root", str(flowers_root), "--data.image_size", "32"]
    assert len(preview(*flags, "--data.mixing.kind", "cutmix", "--variants", "2")) == 2
    assert "mixing needs a batch, so variants show one picture alone" in capsys.readouterr().out


@pytest.mark.parametrize("augment", ["rotation_36", "jpeg", "cutout"])
def test_variants_of_a_labelled_picture(preview: Preview, flowers_root: Path, augment: str) -> None:
    flags = ["--data.augment", augment, "--variants", "4", "--index", "7", "--compare"]
    first, *others = preview(*flowers_flags(flowers_root, *flags))
    kind = first.title.partition(": ")[0]
    assert [cell.title for cell in others] == [f"{kind}: epoch {epoch}" for epoch in range(4)]
    assert len({cell.image.numpy().tobytes() for cell in (first, *others)}) == 5


def test_mixed_labels_are_shares_of_their_classes(preview: Preview, flowers_root: Path) -> None:
    flags = ["--num_images", "10", "--data.batch_size", "10", "--data.mixing", "{kind: both, prob: 1.0}"]
    cells = preview(*flowers_flags(flowers_root, *flags))
    for cell in cells:
        parts = [part.partition(" ") for part in cell.title.split(" + ")]
        assert {name for *_, name in parts} <= set(FLOWERS)
        shares = [float(share) for share, *_ in parts]
        assert sum(shares) == pytest.approx(1, abs=0.011)
        assert shares == sorted(shares, reverse=True)
    assert any(" + " in cell.title for cell in cells)


def test_a_run_is_previewed_with_its_config(preview: Preview, pets_root: Path, tmp_path: Path) -> None:
    for version, size in (("version_2", 16), ("version_10", 24)):
        data = {"class_path": "OxfordPetsDataModule", "init_args": {"root": str(pets_root), "image_size": size}}
        write(tmp_path / "run" / version / "config.yaml", {"seed_everything": 0, "data": data})
    (cell,) = preview("--run", str(tmp_path / "run"), "--num_images", "1")
    assert cell.image.shape == (3, 24, 24)
    wide = write(tmp_path / "wide.yaml", {"data": {"init_args": {"image_size": [8, 12]}}})
    assert preview("--config", wide, "--run", str(tmp_path / "run" / "version_2"))[0].image.shape == (3, 8, 12)


def test_a_class_can_be_typed(preview: Preview, pets_root: Path) -> None:
    cells = preview("--data", "OxfordPetsDataModule", "--data.root", str(pets_root), "--num_images", "1")
    assert cells[0].image.shape == (3, 128, 128)


def test_flags_of_fit_are_left_aside_in_one_line(
    preview: Preview, pets_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["--trainer.max_epochs", "3", "--model.lr=1", "--trainer.callbacks+", "RunRecord", "--ckpt_path", "x.ckpt"]
    expected = preview(*flags_of(pets_root, "--num_images", "2"))
    capsys.readouterr()
    cells = preview(*typed, *flags_of(pets_root), "--seed_everything", "4", "--num_images", "2")
    assert [cell.title for cell in cells] == [cell.title for cell in expected]
    line, path = capsys.readouterr().out.splitlines()
    names = "--trainer.max_epochs --model.lr --trainer.callbacks+ --ckpt_path --seed_everything"
    assert line == f"left aside, since they do not change the data: {names}"
    assert path == "preview.png"


def test_all_flags_of_fit_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--help"]) == 0
    sections = set(re.findall(r"^  (?:-\w, )?--(\w+)", capsys.readouterr().out, re.MULTILINE))
    assert {"data", "model", "trainer", "early_stopping"} <= sections
    others = sorted(sections - {"data", "run", "help", "config", "print_config", "trust_config"})
    assert keep_data([word for section in others for word in (f"--{section}", "4")]) == []
    line = capsys.readouterr().out
    assert line == f"left aside, since they do not change the data: {' '.join(f'--{section}' for section in others)}\n"
    # What fit does not know either is for the command to refuse.
    assert keep_data(["--modl.lr", "4"]) == ["--modl.lr", "4"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--data.rot", "x"], "'rot' is not accepted; did you mean --data.root?"),
        (["--data.batch_size", "many"], "many"),
        (["--data.batch_size", "0"], "batch_size 0 is too small"),
        (["--data.augment", "flipp"], "did you mean 'flip'"),
        (["--data", "OxfordPetDataModule"], "did you mean OxfordPetsDataModule?"),
        (["--ouput", "x.png"], "did you mean --output?"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such config"),
        (["--run", "nowhere"], "nowhere: no run there"),
        (["--output", "x.xyz"], "x.xyz: no picture can be written with suffix '.xyz'; use .png, .jpg, .svg or .pdf"),
        (["--output", "x"], "no suffix; use .png"),
        (["--output", "file/x.png"], "file/x.png: cannot be written"),
        (["--num_images", "0"], "num_images 0 is too small"),
        (["--variants", "0"], "variants 0 is too small"),
        (["--variants", "1", "--index", "99"], "index 99 does not exist; the training split has pictures 0 to "),
        (["--data.image_size", "null", "--data.batch_size", "4"], "pictures of one batch differ in size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_one_line(
    pets_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    flags: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert_fails(["preview", *flags_of(pets_root, "--num_images", "4"), *flags], expected, capfd)
    assert not list(tmp_path.glob("**/*.png"))


def assert_fails(arguments: list[str], expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("lightning-seg: error: ")
    assert expected in line


def test_configs_that_do_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "pets.yaml", {"model": {"class_path": "MobileNetV2UNetTask"}})
    write(tmp_path / "part.yaml", {"data": {"init_args": {"batch_size": 2}}})
    write(tmp_path / "wrong.yaml", {"data": {"class_path": "OxfordPetDataModule"}})
    write(tmp_path / "list.yaml", ["pets"])
    (tmp_path / "broken.yaml").write_text("data: [\n")
    for name, expected in {
        "pet.yaml": "pet.yaml: no such config; did you mean pets.yaml?",
        "pets.yaml": "no data section; give --config pets, --run RUN or --data CLASS",
        "part.yaml": "part.yaml: data has no class_path",
        "wrong.yaml": "did you mean OxfordPetsDataModule?",
        "list.yaml": "list.yaml: a config holds sections such as data and model",
        "broken.yaml": "broken.yaml: no valid YAML",
    }.items():
        assert_fails(["preview", "--config", name], expected, capfd)
    assert_fails(["preview"], "no data section", capfd)


def test_a_bad_output_is_noticed_before_any_work(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "pets"
    flags = ["--config", CONFIG, "--data.source", "synthetic", "--data.root", str(root), "--output", "x.docx"]
    assert_fails(["preview", *flags], "'.docx'", capfd)
    assert not root.exists()


def test_help_names_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["preview", "--help"])
    text = capsys.readouterr().out
    for flag in ("--config", "--data ", "--output", "--num_images", "--compare", "--variants", "--index", "--epoch"):
        assert f"  {flag}" in text


def test_long_names_of_mixed_classes_keep_their_shares() -> None:
    names = ["Staffordshire_bullterrier", "pug", "soft-coated_wheaten_terrier"]
    title = _caption(torch.tensor([0.91, 0.0, 0.09]), names, "a.jpg")
    assert title == "0.91 Staffordshi… + 0.09 soft-coated…"
    assert len(title) <= TITLE_LENGTH
