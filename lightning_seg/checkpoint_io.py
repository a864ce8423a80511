"""Lightning's checkpoints, whole or not there."""

import io
import re
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import AsyncCheckpointIO, TorchCheckpointIO
from pytorch_lightning.strategies import Strategy

from lightning_seg.files import replacing


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's own, whose file is whole or the previous one whatever ends the process.

    Lightning writes into the folder for temporary files. Where that is another disk, moving the file means to write it
    again into the one that is replaced: a process that is killed then leaves a part of it, a full disk nothing.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """As Lightning's; what lies elsewhere than on a disk of this machine is left to it.

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
    """A strategy that writes checkpoints as Lightning does by itself gets the plugin; others have their own reasons."""
    writer = strategy.checkpoint_io
    if type(writer) is TorchCheckpointIO:
        strategy.checkpoint_io = WholeCheckpointIO()


def write_whole_in_background(plugins: Any) -> None:
    """The same for plugins that hand checkpoints on to another one, and were given none."""
    for plugin in plugins if isinstance(plugins, list) else [plugins]:
        if isinstance(plugin, AsyncCheckpointIO) and plugin.checkpoint_io is None:
            plugin.checkpoint_io = WholeCheckpointIO()
