"""The parser of Lightning's subcommands, and the flags that belong to no class."""

from typing import Any, ClassVar

from jsonargparse import ArgumentParser
from pytorch_lightning.cli import LightningArgumentParser

from lightning_seg.arguments import TRUST, OneLineErrors, Typed
from lightning_seg.cli.signatures import chosen_class, names_of
from lightning_seg.tasks.watched import OnNaN


class Parser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with errors of one line; it does not complete abbreviated flags."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    given: ClassVar[Typed | None] = None
    """What the user has said."""

    def known_flags(self) -> list[str]:
        """Those of the chosen classes among them."""
        chosen = {} if self.given is None else self.given.classes
        kinds = {section: chosen_class(name, section) for section, name in chosen.items()}
        known = super().known_flags()
        for section, kind in kinds.items():
            known += [f"{section}.{name}" for name in ([] if kind is None else names_of(kind))]
        return known


def add_own_flags(parser: ArgumentParser) -> None:
    """The flags that belong to no class."""
    parser.add_argument(
        "--early_stopping",
        type=int | None,
        default=None,
        help="Stop when the task's monitored metric has not improved for this many validations.",
    )
    parser.add_argument(
        "--on_nan",
        type=OnNaN,
        default="stop",
        help="Where losses or weights are no numbers any more, or nothing of a split counts: stop by an error, or "
        "warn, and go on without a best checkpoint.",
    )
    parser.add_argument(
        "--run_folder",
        type=str | None,
        default=None,
        help="Folder of a new run, instead of the next runs/NAME/version_N.",
    )
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help="A run folder, runs/NAME for its newest run, or a checkpoint: its config, and its last checkpoint for "
        "fit, its best one otherwise. What is typed wins.",
    )
    parser.add_argument(
        TRUST,
        type=bool,
        default=False,
        help="Build whatever the config of --run names. Without it, validate, test and predict build classes of "
        "this package, of Lightning and of Albumentations, and those that are typed.",
    )
