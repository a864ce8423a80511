"""Reading checkpoints from anywhere without running code; more than plain values is refused."""

from lightning_seg.checkpoints.checks import (
    CHECKPOINT_KEY,
    HYPER_PARAMETERS,
    argument_names,
    check_arguments,
    check_checkpoint,
    check_complete,
    check_content,
    check_loadable,
)
from lightning_seg.checkpoints.plain_values import builds, problems
from lightning_seg.checkpoints.reading import read_checkpoint, refused_call

__all__ = [
    "CHECKPOINT_KEY",
    "HYPER_PARAMETERS",
    "argument_names",
    "builds",
    "check_arguments",
    "check_checkpoint",
    "check_complete",
    "check_content",
    "check_loadable",
    "problems",
    "read_checkpoint",
    "refused_call",
]
