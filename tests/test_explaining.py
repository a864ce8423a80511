"""Errors of libraries and of the system, in one line with a remedy."""

import errno
from pathlib import Path

import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException

from lightning_seg.errors import ConfigError, TrainingError
from lightning_seg.explaining import explain, user_error

DISK_FULL = "make room on the disk; fit --run RUN goes on with what was saved"


def weights_of_another_network() -> RuntimeError:
    with pytest.raises(RuntimeError) as raised:
        torch.nn.Linear(2, 1).load_state_dict({"weight": torch.zeros(1, 3)})
    return raised.value


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a bug of ours"), None),
        (ModuleNotFoundError("No module named 'x'"), None),
        (MisconfigurationException("The dataloader\nis odd"), "The dataloader is odd"),
        (
            MisconfigurationException("No supported gpu backend found!"),
            "there is no gpu that can be used here; give --trainer.accelerator auto",
        ),
        (
            RuntimeError("Early stopping conditioned on metric `val/x` which is not available. Pass in ..."),
            "val/x is not logged in this run, since validation is off or shows no such class; monitor another",
        ),
        (RuntimeError("[fail] PytorchStreamWriter failed"), f"a checkpoint cannot be written; {DISK_FULL}"),
        (
            IndexError("Target 7 is out of bounds."),
            "a later batch holds a mask value or a label of no class (Target 7 is out of bounds.); number the classes "
            "from 0, or set num_classes",
        ),
        (
            ValueError("Problem with given class_path 'a.b.EarlyStopping': patience is odd Given value type: <class>"),
            "EarlyStopping: patience is odd",
        ),
    ],
)
def test_what_an_error_means(error: Exception, line: str | None) -> None:
    with pytest.raises(type(error)) as raised:
        raise error
    assert explain(raised.value) == line


def test_weights_of_another_network_are_named() -> None:
    line = explain(weights_of_another_network())
    assert line is not None
    assert line.startswith('the checkpoint belongs to another network (Missing key(s) in state_dict: "bias"')
    assert line.endswith("); give the run or the config it was trained with")
    assert len(line) < 340


def test_the_full_disk_is_named(tmp_path: Path) -> None:
    line = explain(OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "last.ckpt")))
    assert line is not None
    assert line.startswith(f"{tmp_path}/last.ckpt: cannot be written (No space left on device: the disk of /")
    assert line.endswith(DISK_FULL)


def test_our_own_error_is_found_behind_that_of_a_library() -> None:
    own = TrainingError("loss is no number; give a lower --model.lr")
    with pytest.raises(ValueError, match="class_path") as raised:
        raise ValueError("Problem with given class_path 'a.B'") from own
    assert explain(raised.value) == str(own)
    assert user_error(raised.value) is own


def test_an_error_of_a_loader_process_is_its_last_line() -> None:
    text = "Caught ConfigError in DataLoader worker process 0.\nTraceback ...\nlightning_seg.errors.ConfigError: a, b"
    assert explain(ConfigError(text)) == "a, b"
