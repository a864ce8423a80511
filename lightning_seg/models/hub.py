"""Published weights: downloads from the Hugging Face hub, and timm's variants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import timm
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

from lightning_seg.errors import DownloadError, WeightsError, one_line, unknown_name
from lightning_seg.models.weights import published_file

FILES = ("model.safetensors", "pytorch_model.bin")


class Source(NamedTuple):
    """Place of published weights."""

    repository: str | None  # on the hub; None for the few that lie elsewhere
    revision: str | None
    address: str

    @property
    def is_cached(self) -> bool:
        assert self.repository is not None
        found = (try_to_load_from_cache(self.repository, name, revision=self.revision) for name in FILES)
        return any(isinstance(path, str) for path in found)


def hub_source(repository: str, revision: str | None = None) -> Source:
    return Source(repository, revision, f"{constants.ENDPOINT}/{repository}")


def timm_source(name: str) -> Source:
    """timm keeps a few networks elsewhere."""
    config = timm.models.get_pretrained_cfg(name)
    return hub_source(config.hf_hub_id) if config.hf_hub_id else Source(None, None, config.url)


@contextmanager
def fetching(source: Source, what: str, argument: str) -> Iterator[None]:
    """Errors of downloads inside become one line; without a network at once, before the library's long retries.

    Args:
        source: of the weights.
        what: the network that they have to fit.
        argument: of the task, which chooses the weights.
    """
    try:
        if source.repository is not None and not source.is_cached:
            get_hf_file_metadata(hf_hub_url(source.repository, "config.json", revision=source.revision))
        if source.repository is None and source.address:
            # timm takes the file that is there, and would wait for a silent server without end.
            published_file(source.address, argument)
        yield
    except DownloadError:
        raise
    # The hub's library, those that it asks by, safetensors and torch each have errors of their own.
    except Exception as error:
        if isinstance(error, RuntimeError) and "state_dict" in str(error):
            raise WeightsError(
                f"{source.address}: these weights do not fit {what}: {one_line(error)[:300]}; give other options, or "
                f"{argument} null"
            ) from error
        raise DownloadError(
            f"{source.address}: cannot be fetched to {constants.HF_HUB_CACHE} ({one_line(error)}); give a local copy "
            f"with --model.{argument} FILE, or null to start from random weights"
        ) from error


def pretrained_variants(name: str) -> list[str]:
    """timm's pretrained variants of this network, which differ only in their weights."""
    variants: list[str] = timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True)
    return variants


def check_variant(argument: str, name: str, prefix: str = "") -> None:
    """Raises ConfigError if timm has no variant of this name, ``resnet50.a1_in1k`` being one of ``resnet50``."""
    base, _, tag = name.partition(".")
    variants = timm.list_models(f"{base}.*", include_tags=True) if tag else []
    if tag and name not in variants:
        raise unknown_name(argument, f"{prefix}{name}", [f"{prefix}{variant}" for variant in variants])
