"""The trainer of the command line in a script."""

from pathlib import Path

import pytest

from lightning_seg import OxfordPetsDataModule, UNetTask
from lightning_seg.errors import ConfigError
from lightning_seg.trainer import RunTrainer


@pytest.mark.filterwarnings("ignore")
def test_a_script_measures_at_the_original_size(pets_root: Path, tmp_path: Path) -> None:
    data = OxfordPetsDataModule(str(pets_root), image_size=32, batch_size=4, num_workers=0)
    task = UNetTask(num_classes=3, width=4, depth=2)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = RunTrainer(accelerator="cpu", limit_test_batches=1, default_root_dir=tmp_path, **quiet)
    assert trainer.max_epochs == 20
    (small,) = trainer.test(task, data)
    (full,) = trainer.test(task, data, original_size=True)
    assert "test/miou" in small
    assert "test_full/miou" in full
    with pytest.raises(ConfigError, match="merge means nothing to UNetTask"):
        trainer.validate(task, data, merge="x")
