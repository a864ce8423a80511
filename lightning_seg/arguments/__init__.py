"""Typed words, turned into those that Lightning's parser understands, with errors of one line."""

from lightning_seg.arguments.messages import CLASSES, WordParser, import_public_classes, rephrase
from lightning_seg.arguments.own_flags import OWN_FLAGS, add_own_flags, check_flags
from lightning_seg.arguments.reading import read_config
from lightning_seg.arguments.run_arguments import RunArguments, content_of
from lightning_seg.arguments.typed import ABSENT, TRUST, Asked, Typed, grouped
from lightning_seg.yaml_files import dotted, guard_parsers

guard_parsers()

__all__ = [
    "ABSENT",
    "CLASSES",
    "OWN_FLAGS",
    "TRUST",
    "Asked",
    "RunArguments",
    "Typed",
    "WordParser",
    "add_own_flags",
    "check_flags",
    "content_of",
    "dotted",
    "grouped",
    "import_public_classes",
    "read_config",
    "rephrase",
]
