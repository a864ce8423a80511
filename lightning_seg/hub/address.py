"""Addresses of runs on the Hugging Face hub, and its errors in one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from huggingface_hub import constants, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lightning_seg.errors import ConfigError, DownloadError, UserError, one_line

SCHEME = re.compile("hf:/{1,2}(?=[^/])")
"""``Path`` makes one slash of two."""
LOG_IN = "log in with hf auth login, or set HF_TOKEN"


def is_address(path: str | Path) -> bool:
    """Whether it is ``hf://NAME`` and no file."""
    return SCHEME.match(str(path)) is not None


class Address(NamedTuple):
    """A repository on the hub."""

    repository: str
    revision: str | None = None  # a branch, a tag or a commit; None is the main branch

    @classmethod
    def of(cls, text: str | Path) -> Self:
        """From ``hf://OWNER/NAME`` or ``hf://OWNER/NAME@REVISION``, also without ``hf://``.

        Raises:
            ConfigError: if the hub has no such names.
        """
        name, _, revision = SCHEME.sub("", str(text)).partition("@")
        try:
            # Every function of the library that takes a name checks it first.
            hf_hub_url(name, "config.yaml")
        except HFValidationError as error:
            raise ConfigError(f"{text}: no name of a repository; give OWNER/NAME ({one_line(error)[:150]})") from error
        return cls(name, revision or None)

    def __str__(self) -> str:
        return f"hf://{self.repository}" + (f"@{self.revision}" if self.revision else "")


@contextmanager
def in_one_line(address: Address) -> Iterator[None]:
    """Errors of the hub inside become a DownloadError that names the remedy."""
    try:
        yield
    except UserError:
        raise
    # The hub's library and those that it asks by each have errors of their own.
    except Exception as error:
        raise DownloadError(f"{address}: {_reason(error, address)}") from error


def _reason(error: Exception, address: Address) -> str:
    code = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError):
        return f"its owner lets only those in who ask; do so at {constants.ENDPOINT}/{address.repository}, and {LOG_IN}"
    if isinstance(error, RevisionNotFoundError):
        return f"the repository has no revision {address.revision}; give a branch, a tag or a commit behind the @"
    if isinstance(error, RepositoryNotFoundError):
        return f"no such repository at {constants.ENDPOINT}, or it is private; check the name, or {LOG_IN}"
    if code == 412:
        return "somebody else has changed it in the meantime, and nothing of yours is there; repeat the command"
    if code in (401, 403):
        return f"{constants.ENDPOINT} does not let you do that ({code}); {LOG_IN}, with a token that may"
    if isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError) or not isinstance(error, HfHubHTTPError):
        return (
            f"{constants.ENDPOINT} cannot be reached ({one_line(error)[:200]}); look at the network and repeat the "
            "command, which goes on where it stopped"
        )
    return f"{constants.ENDPOINT} answers {one_line(error)[:300]}; try again later"
