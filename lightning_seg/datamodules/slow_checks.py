"""Messages for checks of all files that take long, with the argument that skips them."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

SLOW_SECONDS = 5.0
log = logging.getLogger(__name__)


@contextmanager
def says_when_slow(checked: str, argument: str) -> Iterator[None]:
    """Context of a check; logs a message if it takes long.

    Args:
        checked: the things to check, for instance ``1200 masks``.
        argument: of the datamodule; false skips the check.
    """
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    if seconds > SLOW_SECONDS:
        log.warning("checking %s took %.0f s; --data.%s false skips it", checked, seconds, argument)
