"""``lightning-seg card``: the model card of a run."""

from pathlib import Path

from lightning_seg.card import card_of
from lightning_seg.errors import ConfigError
from lightning_seg.files import replace_text
from lightning_seg.hub.address import Address
from lightning_seg.runs import find_run

EXPORTED = (".onnx",)
"""Ends of the names of exported files, which a card tells how to load."""


def card(
    run: str | None = None,
    output: str | None = None,
    license: str | None = None,  # noqa: A002
    repo: str | None = None,
) -> None:
    """Write the model card of a run in the form of the Hugging Face hub: use, limits, data, results, training, loading.

    It holds no folder names of this machine, and says what is left out.

    Args:
        run: A run folder, runs/NAME for its newest run, or a checkpoint.
        output: File to write; without it README.md in the folder of the run.
        license: The hub's short name of a license for the weights, such as mit or cc-by-4.0.
        repo: Repository on the hub that the card is for, OWNER/NAME, and @BRANCH for another branch than main.
    """
    if run is None:
        raise ConfigError("there is no run to describe; give --run RUN")
    found = find_run(run)
    path = found.folder / "README.md" if output is None else Path(output).expanduser()
    if path.is_dir():
        raise ConfigError(f"output {path}: a folder; give a file, for instance {path / 'README.md'}")
    files = sorted(one for one in path.absolute().parent.glob("*") if one.suffix in EXPORTED)
    content = str(card_of(found, license, None if repo is None else Address.of(repo), files))
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, content)
    print(path)
