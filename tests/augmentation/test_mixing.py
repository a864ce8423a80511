import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_seg.__main__ import main
from lightning_seg.augmentation.collate import collate_segmentation
from lightning_seg.augmentation.mixing import (
    Box,
    Draw,
    Mixing,
    MixingCollate,
    draw_batch,
    draw_mix,
    mix_images,
    mix_labels,
    mix_segmentation,
    sample_box,
    sample_lam,
)
from lightning_seg.augmentation.seeding import draw_seed
from lightning_seg.batch import IGNORE_INDEX, MixedSegmentationBatch, SegmentationSample
from lightning_seg.datamodules import OxfordPetsDataModule
from lightning_seg.errors import ConfigError

SIZE = (4, 6)


def flat_samples(values: list[int], size: tuple[int, int] = SIZE, epoch: int = 0) -> list[SegmentationSample]:
    """Pictures of one grey each, whose masks hold their position."""
    return [
        {
            "image": torch.full((*size, 3), value, dtype=torch.uint8).permute(2, 0, 1),
            "mask": torch.full(size, index, dtype=torch.uint8),
            "index": index,
            "epoch": epoch,
            "path": f"{index}.jpg",
            "original_size": size,
        }
        for index, value in enumerate(values)
    ]


def mixed_by(values: list[int], draws: list[Draw]) -> MixedSegmentationBatch:
    return mix_segmentation(collate_segmentation(flat_samples(values)), draws)


def values_in(values: Tensor) -> set[int]:
    return set(values.flatten().tolist())


# Applying


def test_cutmix_pastes_exact_pixels_of_picture_and_mask() -> None:
    batch = mixed_by([10, 20], [Draw(1 - 4 / 24, 1, Box(1, 2, 3, 4)), Draw()])
    expected = torch.tensor([[10] * 6, [10, 10, 20, 20, 10, 10], [10, 10, 20, 20, 10, 10], [10] * 6])
    assert [torch.equal(channel.long(), expected) for channel in batch["image"][0]] == [True] * 3
    assert torch.equal(batch["mask"][0].long(), (expected == 20).long())
    # One mask tells all; the second picture is as it was.
    assert torch.equal(batch["mask_b"], batch["mask"])
    assert batch["lam"].tolist() == [1, 1]
    assert (batch["image"][1] == 20).all()


def test_mixup_averages_pictures_and_keeps_both_masks() -> None:
    batch = mixed_by([100, 200], [Draw(0.75, 1), Draw(0.25, 0)])
    assert (batch["image"][0] == 125).all()
    assert (batch["image"][1] == 125).all()
    assert [values_in(mask) for mask in batch["mask"]] == [{0}, {1}]
    assert [values_in(mask) for mask in batch["mask_b"]] == [{1}, {0}]
    assert batch["lam"].tolist() == [0.75, 0.25]


def test_labels_are_the_shares_by_hand() -> None:
    draws = [Draw(0.25, 1), Draw(), Draw(1 - 6 / 24, 0, Box(0, 0, 2, 3))]
    mixed = mix_labels(torch.tensor([0, 2, 2]), draws, 3)
    assert mixed.tolist() == [[0.25, 0, 0.75], [0, 0, 1], [0.25, 0, 0.75]]
    assert mixed.dtype == torch.float32


def test_partners_are_taken_as_they_were_before() -> None:
    whole = Box(0, 0, *SIZE)
    batch = mixed_by([1, 2, 3], [Draw(0, 1, whole), Draw(0, 2, whole), Draw(0, 0, whole)])
    assert [values_in(picture) for picture in batch["image"]] == [{2}, {3}, {1}]
    assert [values_in(mask) for mask in batch["mask"]] == [{1}, {2}, {0}]


def test_source_pictures_stay_as_they_are() -> None:
    images = torch.randint(0, 256, (3, 3, *SIZE), dtype=torch.uint8)
    before = images.clone()
    mix_images(images, [Draw(0.5, 1), Draw(0.5, 2, Box(0, 0, 2, 6)), Draw()])
    assert torch.equal(images, before)


def test_ignored_pixels_travel_with_the_box() -> None:
    samples = flat_samples([0, 0])
    samples[1]["mask"][:] = IGNORE_INDEX
    batch = mix_segmentation(collate_segmentation(samples), [Draw(0.5, 1, Box(0, 0, 2, 6)), Draw()])
    assert values_in(batch["mask"][0, :2]) == {IGNORE_INDEX}
    assert values_in(batch["mask"][0, 2:]) == {0}


def test_batch_keeps_its_contract() -> None:
    batch = mixed_by([1, 2, 3], [Draw(0.5, 1), Draw(0.5, 2, Box(0, 0, 2, 6)), Draw()])
    assert batch["image"].dtype == batch["mask"].dtype == batch["mask_b"].dtype == torch.uint8
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["lam"].dtype == torch.float32
    assert batch["path"] == ["0.jpg", "1.jpg", "2.jpg"]


# Drawing


class Fixed:
    """A generator that returns the given numbers in their order."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def uniform(self, low: float, high: float) -> float:
        value = self.values.pop(0)
        assert low <= value <= high
        return value


@pytest.mark.parametrize(
    ("centre", "box"),
    [
        # Half of each side of 8 x 12, since a quarter of the area is pasted.
        ((4, 6), Box(2, 3, 6, 9)),
        ((0, 0), Box(0, 0, 2, 3)),
        ((8, 12), Box(6, 9, 8, 12)),
        ((1, 11), Box(0, 8, 3, 12)),
        # To the nearest pixel: rows 0.6 to 4.6, columns 1.3 to 7.3.
        ((2.6, 4.3), Box(1, 1, 5, 7)),
    ],
)
def test_box_by_hand(centre: tuple[float, float], box: Box) -> None:
    assert sample_box(0.75, (8, 12), Fixed(*centre)) == box  # type: ignore[arg-type]


def test_box_of_nothing_and_of_everything() -> None:
    assert sample_box(1.0, (8, 12), Fixed(4, 6)).area == 0  # type: ignore[arg-type]
    assert sample_box(0.0, (8, 12), Fixed(4, 6)) == Box(0, 0, 8, 12)  # type: ignore[arg-type]


def draws_of(mixing: Mixing, count: int = 500, seed: int = 0, size: tuple[int, int] = (40, 60)) -> list[Draw]:
    return draw_batch(mixing, seed, [0] * count, range(count), size)


def test_share_is_what_the_clipped_box_leaves() -> None:
    for draw in draws_of(Mixing("cutmix", prob=1.0)):
        assert draw.box is not None
        assert draw.lam == pytest.approx(1 - draw.box.area / 2400)
        assert 0 <= draw.box.top <= draw.box.bottom <= 40
        assert 0 <= draw.box.left <= draw.box.right <= 60


def test_share_of_mixup_is_uniform_for_alpha_one() -> None:
    lam = np.sort([draw.lam for draw in draws_of(Mixing("mixup", prob=1.0), 4000)])
    # Kolmogorov's bound for a chance of one in a thousand.
    assert np.abs(lam - np.linspace(0, 1, 4000)).max() < 1.95 / math.sqrt(4000)


def test_share_of_cutmix_has_its_expectation() -> None:
    """Per side of relative length s, clipping leaves s - s^2 / 4 on average; s^2 is uniform, the sides independent."""
    lam = [draw.lam for draw in draws_of(Mixing("cutmix", prob=1.0), 6000, size=(400, 600))]
    s = np.sqrt((np.arange(100_000) + 0.5) / 100_000)
    expected = 1 - np.mean((s - s**2 / 4) ** 2)
    assert np.mean(lam) == pytest.approx(expected, abs=4 * float(np.std(lam)) / math.sqrt(6000))


def test_alpha_is_that_of_the_beta_distribution() -> None:
    generator = np.random.default_rng(0)
    lam = [sample_lam(0.2, generator) for _ in range(4000)]
    # Variance 1 / (4 * (2 * alpha + 1)).
    assert np.var(lam) == pytest.approx(1 / (4 * 1.4), rel=0.05)


@pytest.mark.parametrize("count", [2, 3, 7, 16])
def test_partner_is_another_picture_and_any_other(count: int) -> None:
    partners: list[set[int]] = [set() for _ in range(count)]
    for seed in range(200):
        for position, draw in enumerate(draws_of(Mixing("both", prob=1.0), count, seed)):
            partners[position].add(draw.partner)
    assert partners == [set(range(count)) - {position} for position in range(count)]


def test_a_picture_alone_stays_as_it_is() -> None:
    assert draws_of(Mixing("both", prob=1.0), 1) == [Draw()]
    batch: Any = MixingCollate(collate_segmentation, mix_segmentation, Mixing(prob=1.0), 0)(flat_samples([7]))
    assert (batch["image"] == 7).all()
    assert batch["lam"].tolist() == [1]


def test_probability_is_that_of_a_picture() -> None:
    assert {draw.lam for draw in draws_of(Mixing(prob=0.0))} == {1.0}
    mixed = np.mean([draw.lam < 1 for draw in draws_of(Mixing("mixup", prob=0.3), 4000)])
    assert mixed == pytest.approx(0.3, abs=0.03)


def test_both_kinds_are_equally_likely() -> None:
    pasted = np.mean([draw.box is not None for draw in draws_of(Mixing("both", prob=1.0), 4000)])
    assert pasted == pytest.approx(0.5, abs=0.03)


def test_another_kind_mixes_the_same_pictures() -> None:
    drawn = {kind: draws_of(Mixing(kind, prob=0.5), 100) for kind in ("cutmix", "mixup", "both")}
    # A box of no pixels leaves a picture as it is, too; at 40 x 60 it is rare.
    mixed = {kind: [draw.lam < 1 for draw in draws] for kind, draws in drawn.items()}
    assert sum(a != b for a, b in zip(mixed["cutmix"], mixed["mixup"], strict=True)) <= 1
    for draw, pasted, averaged in zip(drawn["both"], drawn["cutmix"], drawn["mixup"], strict=True):
        one = pasted if draw.box else averaged
        assert (draw.lam, draw.box) == (one.lam, one.box)


def test_draws_are_not_those_of_the_pipeline() -> None:
    mixing = Mixing("mixup", prob=1.0)
    for index, draw in enumerate(draws_of(mixing, 20)):
        pipeline = np.random.default_rng(draw_seed(0, 0, index))
        assert draw_mix(mixing, (40, 60), 20, pipeline)[0].lam != draw.lam


def test_one_draw_for_the_whole_batch() -> None:
    draws = draws_of(Mixing("both", prob=1.0, per="batch"), 8, seed=3)
    assert len({(draw.lam, draw.box) for draw in draws}) == 1
    assert len({(draw.partner - position) % 8 for position, draw in enumerate(draws)}) == 1
    assert len({(draw.lam, draw.box) for draw in draws_of(Mixing("both", prob=1.0), 8, seed=3)}) == 8


def test_mixing_ends_at_its_epoch() -> None:
    mixing = Mixing("mixup", prob=1.0, until_epoch=3)
    before, after = (draw_batch(mixing, 0, [epoch] * 4, range(4), SIZE) for epoch in (2, 3))
    assert all(draw.lam < 1 for draw in before)
    assert after == [Draw()] * 4


def test_share_and_box_depend_on_seed_epoch_and_index_alone() -> None:
    mixing = Mixing("both", prob=0.8)
    whole = draw_batch(mixing, 5, [2] * 12, range(12), SIZE)
    parts = [draw for first in (8, 0, 4) for draw in draw_batch(mixing, 5, [2] * 4, range(first, first + 4), SIZE)]
    assert [(draw.lam, draw.box) for draw in whole] == [(draw.lam, draw.box) for draw in parts[4:] + parts[:4]]
    for seed, epoch in ((6, 2), (5, 3)):
        other = draw_batch(mixing, seed, [epoch] * 12, range(12), SIZE)
        assert [draw.lam for draw in other] != [draw.lam for draw in whole]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "cutmx"}, "mixing: kind 'cutmx' does not exist; choose cutmix, mixup, both"),
        ({"per": "pixel"}, "mixing: per 'pixel' does not exist; choose image, batch"),
        ({"alpha": 0.0}, "mixing: alpha 0.0 must be above 0 and at most 1000000; 1 draws every share alike"),
        ({"alpha": math.nan}, "mixing: alpha nan must be above 0 and at most 1000000; 1 draws every share alike"),
        ({"alpha": 1.7e308}, "mixing: alpha 1.7e+308 must be above 0 and at most 1000000; 1 draws every share alike"),
        ({"prob": 1.5}, "mixing: prob 1.5 must lie between 0 and 1, for instance 0.5"),
        ({"prob": -0.1}, "mixing: prob -0.1 must lie between 0 and 1, for instance 0.5"),
        ({"until_epoch": -1}, "mixing: until_epoch -1 is too small; give 0 or more, or null for all"),
    ],
)
def test_impossible_values(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Mixing(**options)


# Through the loader

Batches = list[dict[str, Any]]


def batches_of(root: Path, mixing: Mixing | None, epochs: int = 2, **options: Any) -> Batches:
    given = {"image_size": 32, "batch_size": 5, "num_workers": 0, "val_fraction": 0.25, **options}
    data = OxfordPetsDataModule(root, mixing=mixing, **given)
    data.setup("fit")
    loader = data.train_dataloader()
    batches: Batches = []
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        batches += loader
    return batches


def assert_same(ours: Batches, theirs: Batches) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for key, values in one.items():
            assert torch.equal(values, other[key]) if isinstance(values, Tensor) else values == other[key]


@pytest.fixture(scope="module")
def mixed(pets_root: Path) -> Batches:
    return batches_of(pets_root, Mixing("both", prob=0.7))


@pytest.mark.parametrize("options", [{"num_workers": 2}, {"num_workers": 3, "persistent_workers": False}], ids=str)
def test_loaders_mix_alike_with_any_number_of_workers(pets_root: Path, mixed: Batches, options: dict[str, Any]) -> None:
    assert_same(batches_of(pets_root, Mixing("both", prob=0.7), **options), mixed)


def test_loaders_mix_alike_however_far_ahead_they_are(pets_root: Path, mixed: Batches) -> None:
    data = OxfordPetsDataModule(
        pets_root, image_size=32, batch_size=5, num_workers=0, val_fraction=0.25, mixing=Mixing("both", prob=0.7)
    )
    data.setup("fit")
    plain = data.train_dataloader()
    for prefetch_factor in (1, 4):
        loader = DataLoader(
            plain.dataset,
            batch_size=5,
            sampler=plain.sampler,
            collate_fn=plain.collate_fn,
            num_workers=2,
            prefetch_factor=prefetch_factor,
            drop_last=True,
        )
        assert_same(list(loader), mixed[: len(loader)])


def test_collate_reaches_workers_that_are_spawned() -> None:
    collate = MixingCollate(collate_segmentation, mix_segmentation, Mixing("both", prob=1.0), 3)
    samples = flat_samples([10, 20, 30])
    assert_same([pickle.loads(pickle.dumps(collate))(samples)], [collate(samples)])


def test_a_mixed_batch_has_two_more_keys(pets_root: Path, mixed: Batches) -> None:
    plain = batches_of(pets_root, None)
    for one, other in zip(mixed, plain, strict=True):
        assert one.keys() == MixedSegmentationBatch.__annotations__.keys()
        assert one.keys() - other.keys() == {"mask_b", "lam"}
        assert one["image"].is_contiguous(memory_format=torch.channels_last)
        assert one["image"].shape == other["image"].shape
        assert one["mask_b"].shape == one["mask"].shape == (5, 32, 32)
        assert torch.equal(one["index"], other["index"])
    assert not all(torch.equal(one["image"], other["image"]) for one, other in zip(mixed, plain, strict=True))


def test_shares_do_not_depend_on_batches_or_the_pipeline(pets_root: Path, mixed: Batches) -> None:
    def shares(batches: Batches) -> dict[tuple[int, int], float]:
        return {
            (int(epoch), int(index)): float(lam)
            for batch in batches
            for epoch, index, lam in zip(batch["epoch"], batch["index"], batch["lam"], strict=True)
        }

    expected = shares(mixed)
    for options in ({"batch_size": 4}, {"batch_size": 7}, {"augment": False}):
        found = shares(batches_of(pets_root, Mixing("both", prob=0.7), **options))
        shared = found.keys() & expected.keys()
        assert len(shared) > 20
        assert {key: found[key] for key in shared} == {key: expected[key] for key in shared}
    # 15 pictures in each of two epochs: their shares are drawn apart.
    averaged = [lam for lam in expected.values() if lam < 1]
    assert len(averaged) == len(set(averaged)) >= 5


def test_validation_is_never_mixed(pets_root: Path) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=32, batch_size=5, num_workers=0, mixing=Mixing(prob=1.0))
    data.setup("fit")
    assert all("lam" not in batch for batch in data.val_dataloader())
    assert all("lam" in batch for batch in data.train_dataloader())


def test_from_its_epoch_on_batches_are_as_they_were(pets_root: Path) -> None:
    """The keys stay, since a compiled step should not see two kinds of batches."""
    before, after = (batches_of(pets_root, Mixing(prob=1.0, until_epoch=1))[first : first + 3] for first in (0, 3))
    plain = batches_of(pets_root, None)
    assert [torch.equal(one["image"], other["image"]) for one, other in zip(before, plain[:3], strict=True)] == (
        [False] * 3
    )
    for one, other in zip(after, plain[3:], strict=True):
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["mask_b"], other["mask"])
        assert one["lam"].tolist() == [1] * 5


# Through the command line

CONFIG = Path(__file__).parents[2] / "configs" / "pets.yaml"


def flags_of(root: Path, *more: str) -> list[str]:
    flags = ["fit", "--config", str(CONFIG), "--data.root", str(root), "--data.download", "false"]
    flags += ["--data.cache", "false", "--data.image_size", "32", "--model.encoder_weights", "null"]
    flags += ["--model.freeze_encoder_norm", "false", "--trainer.limit_train_batches", "1"]
    return [*flags, "--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu", *more]


@pytest.mark.parametrize(
    "flags",
    [
        ["--data.mixing.kind", "mixup", "--data.mixing.alpha", "0.4"],
        ["--data.mixing", "{kind: mixup, alpha: 0.4}"],
        ["--data.mixing", "{kind: both, alpha: 0.4}", "--data.mixing.kind", "mixup"],
        ["--data.init_args.mixing.kind=mixup", "--data.init_args.mixing.alpha=0.4"],
        ["--config", "mixing.yaml"],
        ["--config", "mixing.yaml", "--data.mixing", "null", "--data.mixing", "{kind: mixup, alpha: 0.4}"],
    ],
    ids=" ".join,
)
def test_forms_that_the_command_line_takes(
    pets_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"data": {"class_path": "OxfordPetsDataModule", "init_args": {"mixing": {"kind": "mixup", "alpha": 0.4}}}}
    (tmp_path / "mixing.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(SystemExit) as stop:
        main(flags_of(pets_root, *flags, "--print_config"))
    assert stop.value.code == 0
    mixing = yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]["mixing"]
    assert mixing == {"kind": "mixup", "alpha": 0.4, "prob": 0.5, "per": "image", "until_epoch": None}


def test_a_run_keeps_its_mixing_when_it_is_continued(
    pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "pets" / "version_0"

    def kept() -> Any:
        return yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]["mixing"]

    assert main(flags_of(pets_root, "--data.mixing.kind", "both", "--trainer.max_epochs", "1")) == 0
    expected = {"kind": "both", "alpha": 1.0, "prob": 0.5, "per": "image", "until_epoch": None}
    assert kept() == expected
    capsys.readouterr()
    assert main(["fit", "--run", str(run), "--trainer.max_epochs", "2", "--data.mixing.prob", "0.25"]) == 0
    assert kept() == {**expected, "prob": 0.25}
    assert "data.mixing" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("given: "))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--data.mixing.kind", "cutmix", "--data.mixing.prob", "1.5"], "prob 1.5 must lie between 0 and 1"),
        (["--data.mixing", "{kind: cutmix, prob: 1.5}"], "prob 1.5 must lie between 0 and 1"),
        (["--data.mixing.kind", "cutmx"], "cutmx"),
        (["--data.mixing.knd", "cutmix"], "'knd' is not accepted; did you mean --data.mixing.kind?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_one_line(
    pets_root: Path, mistake: Callable[[list[str]], str], flags: list[str], expected: str
) -> None:
    assert expected in mistake(flags_of(pets_root, *flags))
