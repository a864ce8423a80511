"""The parser of Lightning's subcommands."""

from typing import ClassVar

from pytorch_lightning.cli import LightningArgumentParser

from lightning_seg.arguments import Typed, WordParser
from lightning_seg.class_arguments import types_of
from lightning_seg.trust import chosen_class


class Parser(WordParser, LightningArgumentParser):
    """Lightning's parser with errors of one line."""

    given: ClassVar[Typed | None] = None
    """What the user has said."""

    def known_flags(self) -> list[str]:
        """Those of the chosen classes among them."""
        chosen = {} if self.given is None else self.given.classes
        own = (f"{section}.{one}" for section, name in chosen.items() for one in types_of(chosen_class(name, section)))
        return [*super().known_flags(), *own]
