"""Picture files that commands write."""

from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from lightning_seg.errors import ConfigError
from lightning_seg.plots.figures import VECTOR, save_figure


def checked_picture(output: str) -> Path:
    """The file. Raises ConfigError, before anything is done, if no picture can be written under this name."""
    path = Path(output)
    suffixes = Image.registered_extensions()
    if path.suffix.lower()[1:] in VECTOR:
        return path
    try:
        # Some formats can only be read, some write no colours.
        Image.new("RGB", (8, 8)).save(BytesIO(), suffixes[path.suffix.lower()])
    except (KeyError, OSError, ValueError):
        kind = f"suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ConfigError(
            f"output {output}: no picture can be written with {kind}; use .png, .jpg, .svg or .pdf"
        ) from None
    return path


def save_picture(figure: Figure, path: Path) -> None:
    """Raises ConfigError if it cannot be written."""
    try:
        save_figure(figure, path)
    except OSError as error:
        raise ConfigError(f"output {path}: cannot be written ({error.strerror or error}); give another") from error
