"""The contract of an exported model: what its file takes, what it gives, and what it tells about itself.

An ONNX file has these inputs, all of free height and width:

* ``images`` uint8 ``(N, H, W, 3)`` RGB;
* masks: ``image_size`` int64 ``(2,)``, (height, width) at which the network sees the pictures; optional, the size of
  training. Pictures of that size are not resized. Networks that see pictures as they are have no such input;
* boxes: ``threshold`` float32 scalar, the lowest probability of an object; optional.

Its outputs, ``C`` classes and ``L`` labels, probabilities in [0, 1] at the size of the pictures:

* masks: ``mask`` uint8 ``(N, H, W)``, ``probs`` float32 ``(N, C, H, W)``, ``confidence`` and ``entropy`` ``(N,)``;
* labels: ``label`` int64 ``(N,)``, ``probs`` ``(N, C)``, ``confidence`` and ``entropy`` ``(N,)``;
* boxes: ``picture`` int64 ``(M,)`` (which of the N), ``boxes`` float32 ``(M, 4)`` in pixels, ``scores`` ``(M,)``,
  ``labels`` int64 ``(M,)``, ``maps`` ``(N, L, h, w)``, ``whole`` ``(N, C)``, ``window_probs`` ``(N, W, C)``,
  ``window_boxes`` ``(W, 4)``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from lightning_seg.errors import ConfigError

FORMAT = 1
"""Version of the contract. Raise it when a reader of this one would go wrong."""
PROPERTY = "lightning_seg"
"""Name of the metadata property that holds ``ModelFile.to_json()``."""
Kind = Literal["masks", "labels", "boxes"]
Precision = Literal["float32", "float16", "int8"]

IMAGES, IMAGE_SIZE, THRESHOLD = "images", "image_size", "threshold"
INPUTS: dict[Kind, tuple[str, ...]] = {
    "masks": (IMAGES, IMAGE_SIZE),
    "labels": (IMAGES,),
    "boxes": (IMAGES, THRESHOLD),
}
OUTPUTS: dict[Kind, tuple[str, ...]] = {
    "masks": ("mask", "probs", "confidence", "entropy"),
    "labels": ("label", "probs", "confidence", "entropy"),
    "boxes": ("picture", "boxes", "scores", "labels", "maps", "whole", "window_probs", "window_boxes"),
}


@dataclass(frozen=True)
class ModelFile:
    """What an exported model tells about itself.

    Raises:
        ConfigError: if a value is none that this version knows.
    """

    kind: Kind
    task: str  # the class path of the task
    class_names: tuple[str, ...]
    label_names: tuple[str, ...]  # what predictions call what they have found; of masks and labels the classes
    colors: tuple[tuple[int, int, int], ...]  # RGB of each label
    image_size: tuple[int, int] | None  # (height, width) of training; None sees pictures at their own size
    threshold: float | None = None  # that of training or of the export; None takes the likelier class
    knobs: dict[str, Any] = field(default_factory=dict)  # of boxes: scales, windows, merge, merge_overlap
    mask_encoding: dict[str, Any] = field(default_factory=dict)  # of masks: values and colours, see ``MaskEncoding``
    precision: Precision = "float32"
    versions: dict[str, str] = field(default_factory=dict)  # of lightning_seg, torch, onnx
    config_sha256: str | None = None
    checkpoint_sha256: str | None = None
    epoch: int | None = None
    checked: dict[str, Any] = field(default_factory=dict)  # what was compared with the task, and how far they differ

    def __post_init__(self) -> None:
        for name, (is_so, what) in _CHECKS.items():
            if not is_so(getattr(self, name)):
                raise ConfigError(f"{name} {_short(getattr(self, name))} is not {what}")

    def to_json(self) -> str:
        """For the metadata property ``PROPERTY``."""
        return json.dumps({"format": FORMAT, **asdict(self)}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | None, name: str) -> "ModelFile":
        """From the metadata property; what later versions add to this format is passed over.

        Args:
            text: its value, None where there is none.
            name: of the file, for the message.

        Raises:
            ConfigError: if it is of another program, of a newer format, or not as it was written.
        """
        content = _content(text, name)
        if content["format"] != FORMAT:
            raise ConfigError(
                f"{name}: its format is {_short(content['format'])}, and this version reads {FORMAT}; install a newer "
                "lightning_seg, or export the run anew"
            )
        known = {one.name: _frozen(content[one.name]) for one in fields(cls) if one.name in content}
        try:
            return cls(**known)
        except (ConfigError, TypeError) as error:
            reason = str(error).replace("ModelFile.__init__() ", "")
            raise ConfigError(f"{name}: its metadata are damaged ({reason}); export the run anew") from error


def _content(text: str | None, name: str) -> dict[str, Any]:
    try:
        content = json.loads(text or "null")
    # Of deep nesting.
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or "format" not in content:
        raise ConfigError(
            f"{name}: no model of this package, since it has no metadata {PROPERTY!r}; give a file that lightning-seg "
            "export has written"
        )
    return content


def _frozen(value: Any) -> Any:
    """Lists as tuples; what is in dicts stays as it is."""
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(one, str) for one in value)


def _is_size(value: Any) -> bool:
    return value is None or (_is_numbers(value, 2) and min(value) > 0)


def _is_numbers(value: Any, number: int) -> bool:
    return isinstance(value, tuple) and len(value) == number and all(type(one) is int for one in value)


def _is_colors(value: Any) -> bool:
    return isinstance(value, tuple) and all(_is_numbers(one, 3) and min(one) >= 0 and max(one) <= 255 for one in value)


def _is_share(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_one_of(values: tuple[str, ...]) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in values, f"one of {', '.join(values)}"


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "kind": _is_one_of(get_args(Kind)),
    "precision": _is_one_of(get_args(Precision)),
    "class_names": (_is_names, "a list of names"),
    "label_names": (_is_names, "a list of names"),
    "colors": (_is_colors, "a list of colours of three numbers from 0 to 255"),
    "image_size": (_is_size, "a height and a width in pixels, or null"),
    "threshold": (_is_share, "a number between 0 and 1, or null"),
    "knobs": (_is_mapping, "a mapping"),
    "mask_encoding": (_is_mapping, "a mapping"),
    "versions": (_is_mapping, "a mapping"),
    "checked": (_is_mapping, "a mapping"),
}
