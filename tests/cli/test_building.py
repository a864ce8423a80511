"""What a variant would train on, built without training it."""

from pathlib import Path

import pytest
import torch

from lightning_seg.cli.building import build
from lightning_seg.errors import ConfigError


def words(flowers_root: Path, *more: str) -> list[str]:
    data = ["--data", "FlowersDataModule", "--data.root", str(flowers_root), "--data.image_size", "32"]
    return ["--model", "CNNClassifierTask", *data, "--trainer.accelerator", "cpu", *more]


def test_the_metric_of_the_best_checkpoint_is_told_and_nothing_is_left(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    before = torch.initial_seed()
    built = build(words(flowers_root))
    assert built.monitor == "val/accuracy"
    parts = [set(built.pictures[split]) for split in ("train", "val", "test")]
    # Each file of the folder once.
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(list(flowers_root.glob("*/*.jpg")))
    assert build(words(flowers_root, "--model.monitor", "val/loss")).monitor == "val/loss"
    assert build(words(flowers_root, "--data.val_fraction", "0")).monitor is None
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    # The processes that are started later choose their own.
    assert torch.initial_seed() == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data.test_fraction", "0"], "no pictures to test on"),
        (["--data.augment", "flop"], "^augment 'flop' is no pipeline; did you mean 'flip'"),
        (["--model", "SmpTask", "--model.arch", "unot"], "^arch 'unot' does not exist; the nearest names are unet"),
        (["--data.root", "nowhere"], "^nowhere: no daisy/"),
    ],
)
def test_mistakes_have_the_message_of_fit(flowers_root: Path, flags: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(words(flowers_root, *flags))
