"""The line of the progress bar when an error ends a command."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar


class EndOfProgress(pl.Callback):
    """Ends the line of the bar, so that an error is printed on a line of its own."""

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        bar = trainer.progress_bar_callback
        if isinstance(bar, TQDMProgressBar) and bar.is_enabled:
            print(flush=True)
