import logging
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_seg.callbacks.continued import RunCheckpoint, RunStopping


class Scripted(pl.LightningModule):
    """Logs one given score per epoch."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = scores
        self.weight = nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.weight * 0

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/miou", self.scores[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder: str, scores: list[float], callbacks: list[pl.Callback], ckpt_path: str | None = None) -> None:
    loader: DataLoader[Tensor] = DataLoader([torch.zeros(1)])  # type: ignore[arg-type]
    best = RunCheckpoint(dirpath=folder, filename="best", monitor="val/miou", mode="max", enable_version_counter=False)
    last = RunCheckpoint(dirpath=folder, filename="last", enable_version_counter=False, save_on_train_epoch_end=True)
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        max_epochs=len(scores),
        callbacks=[best, last, *callbacks],
    )
    trainer.fit(Scripted(scores), loader, loader, ckpt_path=ckpt_path, weights_only=True)


def epoch_of(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["epoch"])


@pytest.mark.parametrize("reached", ["absolute", "moved"])
def test_a_worse_epoch_does_not_replace_the_best_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fit("run", [0.3, 0.6], [])
    folder = tmp_path / "run"
    if reached == "moved":
        folder = folder.rename(tmp_path / "elsewhere")
    # Worse, then better again.
    for scores, best in (([0.3, 0.6, 0.1], 1), ([0.3, 0.6, 0.1, 0.7], 3)):
        fit(str(folder), scores, [], str(folder / "last.ckpt"))
        assert epoch_of(folder / "best.ckpt") == best
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_the_given_patience_counts_and_stopping_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scores = [0.5, 0.4, 0.3, 0.2, 0.1, 0.1]

    def stopping(patience: int) -> RunStopping:
        return RunStopping("val/miou", mode="max", patience=patience)

    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        fit(str(tmp_path), scores, [stopping(1)])
        assert epoch_of(tmp_path / "last.ckpt") == 1
        assert caplog.messages == [
            "stopped early after 2 epochs: val/miou has not got better than 0.5000 for 1 validations"
        ]
        # Two more of three in vain.
        fit(str(tmp_path), scores, [stopping(3)], str(tmp_path / "last.ckpt"))
    assert epoch_of(tmp_path / "last.ckpt") == 3
    assert "for 3 validations" in caplog.messages[-1]
