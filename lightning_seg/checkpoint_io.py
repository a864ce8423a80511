"""Writing Lightning's checkpoints completely or not at all."""

import io
import re
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import AsyncCheckpointIO, TorchCheckpointIO
from pytorch_lightning.strategies import Strategy

from lightning_seg.files import replacing


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's, but the file is always complete: the new or the previous one, in whatever way the process ends.

    Lightning writes into the folder for temporary files. If that is another disk, moving the file means copying it over
    the old one: a process that is killed meanwhile leaves a part of it, a full disk nothing.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """As Lightning's; paths outside of this machine's disks are left to Lightning.

        Raises:
            OSError: naming ``path``; the previous file is still there.
        """
        if storage_options is not None or re.match(r"[\w+]+://", str(path)):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        # torch tells no reason for failing to write to a file.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with replacing(Path(path)) as file:
            file.write(content.getbuffer())


def write_whole(strategy: Strategy) -> None:
    """Add the plugin to a strategy that writes checkpoints in Lightning's own way; other strategies keep theirs."""
    writer = strategy.checkpoint_io
    if type(writer) is TorchCheckpointIO:
        strategy.checkpoint_io = WholeCheckpointIO()


def write_whole_in_background(plugins: Any) -> None:
    """The same for plugins that wrap another one and were given none."""
    for plugin in plugins if isinstance(plugins, list) else [plugins]:
        if isinstance(plugin, AsyncCheckpointIO) and plugin.checkpoint_io is None:
            plugin.checkpoint_io = WholeCheckpointIO()
