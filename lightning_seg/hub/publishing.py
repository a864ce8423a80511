"""Files of a run to the Hugging Face hub, all in one commit."""

from pathlib import Path

from huggingface_hub import HfApi, get_token

from lightning_seg.errors import ConfigError
from lightning_seg.hub.address import LOG_IN, Address, in_one_line


def publish(folder: Path, address: Address, private: bool | None) -> str:
    """Upload the files of a folder, and return the address of their page.

    They become visible together. The repository is made if there is none.

    Args:
        folder: of the files.
        address: of the repository.
        private: whether a new repository is seen by its owner alone; None takes what the owner's account says.

    Raises:
        ConfigError: if nobody is logged in.
        DownloadError: if the hub cannot be reached or refuses.
    """
    if get_token() is None:
        raise ConfigError(f"repo {address.repository}: nobody is logged in at the hub; {LOG_IN}")
    api = HfApi()
    with in_one_line(address):
        page = api.create_repo(address.repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=address.repository,
            folder_path=folder,
            revision=address.revision,
            commit_message="Upload a run with lightning-seg",
        )
    return str(page)
