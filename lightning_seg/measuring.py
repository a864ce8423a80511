"""How validation and test look at pictures: what the datamodule has to give, and the task to compare."""

from dataclasses import dataclass

from lightning_seg.batch import Split


@dataclass(frozen=True)
class Measuring:
    """The same for the datamodule and the task of a run; ``SupervisedTask.measure_as`` tells both.

    Args:
        original_size: compare with the truth at the size of the files, which is what ``predict`` writes: masks or
            boxes. Names of metrics then begin with ``test_full`` in place of ``test``.
        shown_size: (height, width) at which the network then sees pictures; None shows them as they are, for tiles and
            for windows that slide.
    """

    original_size: bool = False
    shown_size: tuple[int, int] | None = None

    def log_name(self, split: Split) -> str:
        """What the names of a split's metrics begin with."""
        return f"{split}_full" if self.original_size else split
