"""Errors for null in arguments without null: the parser accepts it, and the class would fail with its own message."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from jsonargparse import Namespace

from lightning_seg.arguments import rephrase
from lightning_seg.class_arguments import class_of, parser_of
from lightning_seg.cli.linking import LINKS
from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError, UserError


def check_nulls(name: str, section: Mapping[str, Any], linked: Sequence[str] = ()) -> None:
    """Raises ConfigError naming an argument of a class that is null and may not be.

    Args:
        name: ``model`` or ``data``, for the message.
        section: of the config.
        linked: arguments that are taken from elsewhere.
    """
    parser = parser_of(class_of(section))
    nulls = [one for one, value in section.get("init_args", {}).items() if value is None and one not in linked]
    for argument in nulls:
        try:
            # What the class does not have the parser has refused.
            with suppress(KeyError):
                parser.validate(Namespace({argument: None}), skip_unset=False, skip_required=True)  # type: ignore[no-untyped-call]
        except TypeError as error:
            raise ConfigError(f"{name}.{rephrase(str(error))}") from None


@contextmanager
def naming_nulls(model: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[None]:
    """A task needs what the data usually says; where the user's own data does not say it, the error names it."""
    try:
        yield
    except Exception as error:
        kind = class_of(data)
        tells = isinstance(kind, type) and (issubclass(kind, DataModule) or any(hasattr(kind, name) for name in LINKS))
        if not tells and not isinstance(error, UserError):
            check_nulls("model", model)
        raise
