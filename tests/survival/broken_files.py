"""Pictures, masks and configs as nobody means them, drawn from a seed."""

import copy
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.random import Generator
from PIL import Image

FORMATS = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "I"),
    "GIF": ("1", "L", "P", "RGB"),
    "WEBP": ("L", "RGB", "RGBA"),
    "PPM": ("1", "L", "RGB"),
    "TGA": ("L", "LA", "P", "RGB", "RGBA"),
    "ICO": ("RGB", "RGBA"),
    "JPEG2000": ("L", "RGB"),
    "PCX": ("1", "L", "P", "RGB"),
    "SGI": ("L", "RGB", "RGBA"),
    "DDS": ("RGB", "RGBA"),
}
SUFFIXES = (".jpg", ".png", ".bmp", ".tif", ".gif", ".webp", ".ppm", ".jpeg", ".JPG")
TIFF_TYPES = 14


def draw_picture(rng: Generator) -> bytes:
    """A file of any format and mode, whole or damaged."""
    data = _encode(rng)
    for _ in range(int(rng.integers(0, 3))):
        damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
        data = damage(data, rng)
    return data


def _encode(rng: Generator) -> bytes:
    kind = list(FORMATS)[int(rng.integers(len(FORMATS)))]
    mode = FORMATS[kind][int(rng.integers(len(FORMATS[kind])))]
    size = (int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    image = _image(mode, size, rng)
    options: dict[str, Any] = {}
    if kind in ("JPEG", "PNG", "WEBP", "TIFF") and rng.random() < 0.5:
        options["exif"] = draw_exif(rng)
    if kind in ("TIFF", "GIF", "PNG", "WEBP") and rng.random() < 0.1:
        options |= {"save_all": True, "append_images": [_image(mode, size, rng) for _ in range(2)]}
    if kind == "TIFF":
        options["compression"] = [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"][int(rng.integers(4))]
    file = io.BytesIO()
    try:
        image.save(file, kind, **options)
    # Not every option goes with every format.
    except Exception:
        file = io.BytesIO()
        Image.new("RGB", size, (200, 100, 50)).save(file, kind)
    return file.getvalue()


def _image(mode: str, size: tuple[int, int], rng: Generator) -> Image.Image:
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    if mode in ("I;16", "F", "I"):
        image = Image.fromarray(pixels[..., 0].astype({"I;16": np.uint16, "F": np.float32, "I": np.int32}[mode]))
    elif mode != "RGB":
        image = image.convert(mode)
    if mode in ("P", "L", "RGB") and rng.random() < 0.2:
        image.info["transparency"] = [0, bytes(range(7)), (1, 2, 3)][int(rng.integers(3))]
    return image


def draw_exif(rng: Generator) -> bytes:
    """A block of tags with any types, counts and offsets, the orientation often among them."""
    order = "<" if rng.random() < 0.5 else ">"
    tags = b""
    count = int(rng.integers(0, 6))
    for _ in range(count):
        tag = int(rng.choice([0x0112, 0x8769, 0x8825, 0x010F, 0x02BC, int(rng.integers(2**16))]))
        entry = (tag, int(rng.integers(0, TIFF_TYPES)), int(rng.choice([0, 1, 2, 9, 2**31])))
        value = rng.bytes(4) if rng.random() < 0.5 else struct.pack(f"{order}I", int(rng.integers(0, 300)))
        tags += struct.pack(f"{order}HHI", *entry) + value
    mark = b"II*\0" if order == "<" else b"MM\0*"
    block = b"Exif\0\0" + mark + struct.pack(f"{order}IH", 8, count + int(rng.integers(0, 2))) + tags
    return block + (rng.bytes(int(rng.integers(0, 40))) if rng.random() < 0.5 else bytes(4))


def _flip_bits(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 20)) if changed else 0):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _change_header(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6)) if changed else 0):
        changed[int(rng.integers(min(len(changed), 64)))] = int(rng.choice([0, 1, 127, 128, 255]))
    return bytes(changed)


def _cut(data: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def _insert(data: bytes, rng: Generator) -> bytes:
    where = int(rng.integers(0, len(data) + 1))
    return data[:where] + rng.bytes(int(rng.integers(1, 200))) + data[where:]


def _claim(data: bytes, rng: Generator) -> bytes:
    """A bitmap that says it is larger than it is."""
    sides = [int(rng.choice([1, 20_000, 30_000, 2**31 - 1])) for _ in range(2)]
    body = struct.pack("<IiiHHIIiiII", 40, *sides, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 58, 0, 0, 54) + body + data[:4]


DAMAGES: list[Callable[[bytes, Generator], bytes]] = [_flip_bits, _change_header, _cut, _insert, _claim]


def draw_config(base: dict[str, Any], rng: Generator) -> bytes:
    """A config with values, names and structure changed, and sometimes its text, too."""
    config = copy.deepcopy(base)
    for _ in range(int(rng.integers(1, 4))):
        _change_value(config, rng)
    data = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    if rng.random() < 0.4:
        data = [_flip_bits, _cut, _insert_yaml][int(rng.integers(3))](data, rng)
    return data


ODD: list[Any] = [
    *(None, True, -1, 0, 1, 10**30, 0.5, -0.0, float("nan"), float("inf"), "", " ", "a", "null", "*", "[", "é", "\0"),
    *([], {}, [None], [[1, 2], [3]], {"class_path": "Nobody"}, {"class_path": "torch.nn.ReLU"}, {"a": {"b": {"c": 1}}}),
    *("../../etc/passwd", "/dev/null", "x" * 300, "2024-01-01", "1e5", "0x10", ["a"] * 50, {1: 2}, {"": ""}),
]


def _change_value(config: dict[str, Any], rng: Generator) -> None:
    """Anywhere in it."""
    place: Any = config
    while True:
        if not place:
            return
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(place[key], dict | list) and rng.random() < 0.8:
            place = place[key]
            continue
        if rng.random() < 0.7:
            place[key] = copy.deepcopy(ODD[int(rng.integers(len(ODD)))])
        elif isinstance(place, dict):
            value = place.pop(key)
            if rng.random() < 0.5:
                place[f"{key}s"] = value
        return


INSERTED = (
    "&a [*a]",
    "!!python/name:os.system ",
    "- ",
    "\t",
    "{",
    "}: ",
    "<<: *x",
    "? ",
    "!!int x",
    "%YAML 9",
    "\n---\n",
)


def _insert_yaml(data: bytes, rng: Generator) -> bytes:
    where = int(rng.integers(0, len(data) + 1))
    return data[:where] + INSERTED[int(rng.integers(len(INSERTED)))].encode() + data[where:]


def write_pictures(folder: Path, count: int, seed: int) -> list[Path]:
    """Files of any kind in a folder, with suffixes that need not be theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        path = folder / f"{number:05}{SUFFIXES[int(rng.integers(len(SUFFIXES)))]}"
        path.write_bytes(draw_picture(rng))
        paths.append(path)
    return paths
