"""Files of a run to the Hugging Face hub, all in one commit."""

import glob
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import RevisionNotFoundError

from lightning_seg.errors import ConfigError, DataError
from lightning_seg.files import printable
from lightning_seg.hub.address import LOG_IN, Address, in_one_line
from lightning_seg.hub.fetching import CONFIG, NUMBERS, WEIGHTS
from lightning_seg.json_files import read_json, write_json

PUBLISHED = "lightning_seg.json"
"""Lists the files of a push, so that the next one takes away those that it has not."""


class Branch(NamedTuple):
    """What lies there before a push."""

    commit: str | None  # None of a repository without any
    files: frozenset[str]


def publish(folder: Path, address: Address, private: bool | None) -> str:
    """Upload the files of a folder, and return the address of their page.

    They become visible together, and files of an earlier push that are not among them are gone at the same moment: they
    are about other weights. Other files of the repository stay. Repository and branch are made if there are none.

    Args:
        folder: of the files; gets a list of them.
        address: of the repository.
        private: whether a new repository is seen by its owner alone; None takes what the owner's account says.

    Raises:
        ConfigError: if nobody is logged in.
        DownloadError: if the hub cannot be reached or refuses, or somebody else has pushed in the meantime.
    """
    if get_token() is None:
        raise ConfigError(f"repo {address.repository}: nobody is logged in at the hub; {LOG_IN}")
    api = HfApi()
    with in_one_line(address):
        page = api.create_repo(address.repository, private=private, exist_ok=True)
        branch = _branch(api, address)
        write_json(folder / PUBLISHED, {"files": sorted(path.name for path in folder.iterdir())})
        left = sorted(_published(api, address, branch) - {path.name for path in folder.iterdir()})
        api.upload_folder(
            repo_id=address.repository,
            folder_path=folder,
            revision=address.revision,
            # The hub refuses if another commit has come between.
            parent_commit=branch.commit,
            delete_patterns=[glob.escape(name) for name in left] or None,
            commit_message="Upload a run with lightning-seg",
        )
    if left:
        print(printable(f"{address}: removed {', '.join(left)} of an earlier push"))
    return str(page)


def _branch(api: HfApi, address: Address) -> Branch:
    """The branch of an address, which begins as the main one if it is new."""
    try:
        info = api.model_info(address.repository, revision=address.revision)
    except RevisionNotFoundError:
        api.create_branch(address.repository, branch=str(address.revision), exist_ok=True)
        print(printable(f"{address}: made the branch {address.revision}"))
        info = api.model_info(address.repository, revision=address.revision)
    return Branch(info.sha, frozenset(one.rfilename for one in info.siblings or ()))


def _published(api: HfApi, address: Address, branch: Branch) -> frozenset[str]:
    """The files there that a push has written; earlier versions did not list them."""
    if not {WEIGHTS, CONFIG} <= branch.files:
        return frozenset()
    known = {WEIGHTS, CONFIG, *NUMBERS}
    if PUBLISHED in branch.files:
        path = Path(api.hf_hub_download(address.repository, PUBLISHED, revision=branch.commit))
        try:
            listed = read_json(path, "").get("files")
        # Whoever has changed it takes care of the files.
        except DataError:
            listed = None
        known |= {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    return branch.files & known
