"""The names of a task's classes: given, or learned from the data or a checkpoint."""

from collections.abc import Sequence

from lightning_seg.errors import ConfigError
from lightning_seg.spelling import fault_of_names, same


class ClassNames:
    """What a task calls its classes, and whether these are the dataset's own names or other words for them.

    Other words cannot be compared with what a dataset or a checkpoint calls its classes, so only their number counts.

    Args:
        given: by the user; None waits for those of the data or of a checkpoint.
        num_classes: numbers that the network gives; one tells two classes apart.

    Raises:
        ConfigError: if there are more or fewer names than classes, or a name is empty or doubled.
    """

    def __init__(self, given: Sequence[str] | None, num_classes: int) -> None:
        self.names = None if given is None else tuple(given)
        self.are_of_data = False
        self.num_classes = num_classes
        if self.names is not None and not self.fit(self.names):
            raise ConfigError(f"num_classes {num_classes} does not fit the class names {self.names}")
        if self.names is not None:
            _check_names(self.names, "class_names")

    def fit(self, names: Sequence[str]) -> bool:
        """Whether there are as many as the network tells apart."""
        return len(names) in ((2, 1) if self.num_classes == 1 else (self.num_classes,))

    @property
    def known(self) -> tuple[str, ...]:
        """Those that were given or learned; otherwise ``class_0``, ``class_1``, ..."""
        return self.names or tuple(f"class_{index}" for index in range(max(2, self.num_classes)))

    def meet_data(self, names: Sequence[str], data: str) -> None:
        """Take the names of a datamodule, or compare them with those that are known.

        Args:
            names: of its classes.
            data: what it is called.

        Raises:
            ConfigError: if there are more or fewer, or others than those that were learned, or in another order, or a
                name is empty or doubled.
        """
        if not self.fit(names):
            raise ConfigError(
                f"the task has num_classes {self.num_classes}, {data} has {len(names)}: {', '.join(names)}; set "
                f"num_classes to {len(names)}"
            )
        _check_names(names, f"{data} has the classes")
        if self.names is not None and self.are_of_data:
            check_same(self.names, names, "; to train on others, give load_from_checkpoint class_names")
        self.names = self.names or tuple(names)
        self.are_of_data = _spelt(names) == _spelt(self.names)

    def meet_checkpoint(self, learned: Sequence[str], of_data: bool, in_training: bool) -> None:
        """Take the names of a checkpoint, or compare them with those that are known.

        Args:
            learned: its names.
            of_data: whether these are a dataset's own.
            in_training: whether a trainer restores it, whose data was met before.

        Raises:
            ConfigError: if they are others, or in another order.
        """
        if self.names and in_training and of_data and self.are_of_data:
            check_same(learned, self.names)
        if not self.names or not in_training:
            self.are_of_data = of_data
        self.names = self.names or tuple(learned)


def _check_names(names: Sequence[str], what: str) -> None:
    """Metrics and tables are told by these names."""
    if fault := fault_of_names(names):
        raise ConfigError(f"{what} {', '.join(map(repr, names))}: {fault}")


def _spelt(names: Sequence[str]) -> list[str]:
    return [same(name) for name in names]


def check_same(learned: Sequence[str], names: Sequence[str], otherwise: str = "") -> None:
    """Raises ConfigError if classes are not those that a checkpoint has learned, in the same order.

    Args:
        learned: names of the checkpoint.
        names: what they are compared with.
        otherwise: end of the message.
    """
    before, now = _spelt(learned), _spelt(names)
    if before == now:
        return
    missing = [name for name in before if name not in now]
    added = [name for name in now if name not in before]
    parts = [f"{word} {', '.join(found)}" for word, found in (("without", missing), ("with", added)) if found]
    raise ConfigError(
        f"the classes are not those of the checkpoint, but {' and '.join(parts) or 'in another order'}, so that labels "
        f"would be wrong; give the classes that it was trained with: {', '.join(learned)}{otherwise}"
    )
