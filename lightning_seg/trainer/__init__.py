"""Lightning's trainer on the folder of a run: its callbacks and loggers, its other processes, and its end."""

from lightning_seg.trainer.run_trainer import RunTrainer

__all__ = ["RunTrainer"]
