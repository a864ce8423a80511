"""Files that somebody may upload in place of a photo."""

import zlib
from io import BytesIO
from pathlib import Path
from struct import pack
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from PIL import Image

HOSTILE = (
    "a zip that unpacks to 100 MB",
    "a small file with 400 million pixels",
    "a picture that claims more than its bytes can hold",
    "text",
    "nothing",
    "a picture that was cut off",
    "several frames",
)


def write_hostile(kind: str, path: Path) -> Path:
    path.write_bytes(CONTENTS[kind]())
    return path


def _zip() -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(100 * 10**6))
    return file.getvalue()


def _png(width: int, height: int, rows: int) -> bytes:
    """Of black and white pixels, with as many rows as are written."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row * 500) for _ in range(rows // 500)) + packer.flush()
    head = pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    chunks = (pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body)) for name, body in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _picture() -> bytes:
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def _frames() -> bytes:
    file = BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


CONTENTS = {
    "a zip that unpacks to 100 MB": _zip,
    "a small file with 400 million pixels": lambda: _png(20_000, 20_000, 20_000),
    "a picture that claims more than its bytes can hold": lambda: _png(25_000, 25_000, 0),
    "text": lambda: b"<script>alert(1)</script>\n" * 100,
    "nothing": lambda: b"",
    "a picture that was cut off": lambda: _picture()[:2000],
    "several frames": _frames,
}
