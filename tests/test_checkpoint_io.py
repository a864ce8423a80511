from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import AsyncCheckpointIO, TorchCheckpointIO

from lightning_seg import WholeCheckpointIO
from lightning_seg.checkpoint_io import write_whole, write_whole_in_background


def test_a_checkpoint_is_as_lightnings(tmp_path: Path) -> None:
    content = {"state_dict": {"weight": torch.arange(3)}, "epoch": 1}
    path = tmp_path / "new" / "best.ckpt"
    WholeCheckpointIO().save_checkpoint(content, path)
    read = WholeCheckpointIO().load_checkpoint(path, weights_only=True)
    assert torch.equal(read["state_dict"]["weight"], torch.arange(3))
    assert [one.name for one in path.parent.iterdir()] == ["best.ckpt"]


def test_options_of_a_storage_are_refused_as_by_lightning(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="storage_options"):
        WholeCheckpointIO().save_checkpoint({}, tmp_path / "best.ckpt", {"key": 1})


def test_a_checkpoint_goes_through_a_link_to_no_other(tmp_path: Path) -> None:
    """Lightning can make last.ckpt a link to another checkpoint."""
    (tmp_path / "best.ckpt").write_text("best")
    (tmp_path / "last.ckpt").symlink_to("best.ckpt")
    WholeCheckpointIO().save_checkpoint({"epoch": 1}, tmp_path / "last.ckpt")
    assert (tmp_path / "best.ckpt").read_text() == "best"
    assert torch.load(tmp_path / "last.ckpt", weights_only=True) == {"epoch": 1}


def test_every_trainer_gets_it_whose_checkpoints_are_lightnings() -> None:
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    write_whole(trainer.strategy)
    assert type(trainer.strategy.checkpoint_io) is WholeCheckpointIO


def test_what_the_user_has_chosen_stays() -> None:
    class Own(TorchCheckpointIO):
        pass

    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, plugins=[Own()])
    write_whole(trainer.strategy)
    assert type(trainer.strategy.checkpoint_io) is Own
    background, own = AsyncCheckpointIO(), AsyncCheckpointIO(Own())
    write_whole_in_background([background, own, "other"])
    assert type(background.checkpoint_io) is WholeCheckpointIO
    assert type(own.checkpoint_io) is Own


def test_the_thread_in_the_background_writes_whole_files_and_tells_its_error(tmp_path: Path) -> None:
    plugin = AsyncCheckpointIO()
    write_whole_in_background(plugin)
    plugin.save_checkpoint({"epoch": 1}, tmp_path / "best.ckpt")
    plugin.teardown()
    assert torch.load(tmp_path / "best.ckpt", weights_only=True) == {"epoch": 1}
    with pytest.raises(OSError, match="File exists"):
        _save_and_wait(plugin, tmp_path / "best.ckpt" / "other.ckpt")


def _save_and_wait(plugin: AsyncCheckpointIO, path: Path) -> None:
    plugin.save_checkpoint({"epoch": 2}, path)
    plugin.teardown()
