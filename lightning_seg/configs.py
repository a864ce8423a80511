"""Configs by name, ``pets`` or ``overrides/demo``: those that come with the package, and the user's own files."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from lightning_seg.errors import ConfigError
from lightning_seg.process_tree import is_first_process

log = logging.getLogger(__name__)
HERE = Path(__file__).resolve().parent
INSTALLED = HERE / "shipped_configs"
"""Where setup.py puts the folder ``configs`` of a checkout."""
SHIPPED = INSTALLED if INSTALLED.is_dir() else HERE.parent / "configs"
SUFFIXES = (".yaml", ".yml")
LIST = "lightning-seg configs lists all names"


def find_config(given: str | Path) -> Path:
    """The file that a value of ``--config`` means: a path, or a name.

    A file of the user's, also one called NAME.yaml, wins over the config of this name that comes with the package.

    Raises:
        ConfigError: if there is neither.

    Examples:
        >>> find_config("pets").name
        'pets.yaml'
        >>> find_config("petz")
        Traceback (most recent call last):
        lightning_seg.errors.ConfigError: petz: no such config; ...
    """
    own, shipped = _own_file(str(given)), _shipped_files().get(str(given))
    if own and shipped and not own.samefile(shipped):
        _tell(str(given), own)
    found = own or shipped
    if found is None and _exists(Path(given)):
        # A folder: who reads it says so.
        return Path(given)
    if found is None:
        raise ConfigError(f"{given}: no such config; {_near_file(Path(given)) or _near_name(str(given))}")
    return found


def read_shipped(name: str) -> str:
    """The text of a config that comes with the package, whatever the user's own files are called.

    Raises:
        ConfigError: if there is none of this name.
    """
    if name not in _shipped_files():
        raise ConfigError(f"{name}: no config of this name comes with the package; {_near_name(name)}")
    return _shipped_files()[name].read_text("utf-8")


def describe_shipped() -> Iterator[tuple[str, str]]:
    """The name of each, and the sentence that it opens with."""
    for name in _shipped_files():
        yield name, read_shipped(name).partition("\n")[0].removeprefix("#").strip()


def _shipped_files() -> dict[str, Path]:
    """By name: systems first, then what is laid over them."""
    files = {path.relative_to(SHIPPED).with_suffix("").as_posix(): path for path in SHIPPED.rglob("*.yaml")}
    return dict(sorted(files.items(), key=lambda named: (named[0].count("/"), named[0])))


def _own_file(given: str) -> Path | None:
    """Also a pipe or a device: who reads it refuses it."""
    files = (Path(f"{given}{suffix}") for suffix in ("", *SUFFIXES))
    return next((file for file in files if _exists(file) and not file.is_dir()), None)


def _exists(path: Path) -> bool:
    # A name may be too long for the system.
    with suppress(OSError):
        return path.exists()
    return False


@cache
def _tell(name: str, own: Path) -> None:
    """Once, since a command may ask for the same config more than once."""
    if is_first_process():
        log.warning("%s: %s is read, not the config of this name that comes with the package", name, own)


def _near_file(path: Path) -> str | None:
    """What lies there under nearly the same name."""
    near = get_close_matches(path.name, sorted(other.name for other in path.parent.glob("*.y*ml")), n=1)
    return f"did you mean {path.parent / near[0]}?" if near else None


def _near_name(given: str) -> str:
    """Also that of a path in a checkout, ``configs/pets.yaml``, and of a name without its folder, ``demo``."""
    name = given.removeprefix("configs/").removesuffix(SUFFIXES[0])
    near = [other for other in _shipped_files() if other.rpartition("/")[2] == name]
    near += get_close_matches(name, _shipped_files(), n=1)
    return f"did you mean {near[0]}? {LIST}" if near else f"give the path of a YAML file, or a name; {LIST}"
