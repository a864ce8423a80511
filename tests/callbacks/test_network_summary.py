import logging

import pytest
import pytorch_lightning as pl

from lightning_seg import UNetTask
from lightning_seg.callbacks.network_summary import NetworkSummary


def test_every_block_has_a_row_with_its_shape_and_metrics_have_none(caplog: pytest.LogCaptureFixture) -> None:
    task = UNetTask(width=2, depth=2, class_names=["background", "car"])
    with caplog.at_level(logging.INFO, logger="pytorch_lightning"):
        NetworkSummary(max_depth=3).on_fit_start(pl.Trainer(logger=False, accelerator="cpu"), task)
    lines = caplog.messages[-1].splitlines()
    (centre,) = (line for line in lines if "model.centre " in line)
    # 3x3 convolutions from 4 to 8 and from 8 to 8 channels with biases, and two BatchNorms; a quarter of 128 pixels.
    assert str(9 * 4 * 8 + 8 + 9 * 8 * 8 + 8 + 4 * 8) in centre.replace(",", "")
    assert "[1, 8, 32, 32]" in centre
    assert not [line for line in lines if "scores" in line or "losses" in line]
