"""JSON files that are complete or not there, and that every program can read."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_seg.errors import DataError
from lightning_seg.files import replacing


def write_json(path: Path, content: Any, flushed: bool = True) -> None:
    """Replace ``path`` atomically: a reader finds the old content or the new one, however this process ends.

    Numbers that are not finite become null, since JSON has none. For ``flushed`` see ``replacing``.
    """
    with replacing(path, "w", flushed) as file:
        file.write(_as_text(content))


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The object in a file; what is no finite number, as other programs write it, is None, as ``write_json`` has it.

    Args:
        path: of the file.
        remedy: end of the message if it cannot be read.

    Raises:
        DataError: if it holds something else, for instance because it was cut off.
    """
    try:
        content = _finite(json.loads(path.read_text()))
    # Of deep nesting.
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no valid JSON ({error}), as if it had been cut off; {remedy}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: it holds no names and values; {remedy}")
    return content


def as_read(content: Any) -> Any:
    """The value as it would be read again: JSON has only strings as keys, and lists for tuples."""
    return json.loads(_as_text(content))


def _as_text(content: Any) -> str:
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    return [_finite(value) for value in content] if isinstance(content, list | tuple) else content
