"""The arguments of a class that a config names, with their types and defaults."""

from pydoc import locate

from jsonargparse import ArgumentParser


def parser_of(class_path: str) -> ArgumentParser:
    """Has an action for each argument, those of base classes included; none where the path is that of a function."""
    parser, kind = ArgumentParser(exit_on_error=False), locate(class_path)
    if isinstance(kind, type):
        parser.add_class_arguments(kind)
    return parser
