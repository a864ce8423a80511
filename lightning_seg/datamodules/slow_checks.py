"""Checks of all files, which say how to leave them out where they take long."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

SLOW_SECONDS = 5.0
log = logging.getLogger(__name__)


@contextmanager
def says_when_slow(checked: str, argument: str) -> Iterator[None]:
    """Around a check.

    Args:
        checked: what is checked, for instance ``1200 masks``.
        argument: of the datamodule, that skips it when it is false.
    """
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    if seconds > SLOW_SECONDS:
        log.warning("checking %s took %.0f s; --data.%s false skips it", checked, seconds, argument)
