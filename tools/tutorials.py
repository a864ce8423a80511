"""The pictures of docs/tutorials, made by the commands of the pages.

``python -m tools.tutorials FOLDER pets flowers`` runs all commands of these pages in FOLDER, in their order, but for
those that download; ``--pictures`` takes what an earlier call has left there. What PICTURES names is then made small
and written to docs/images/tutorials.
"""

import argparse
import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from lightning_seg.__main__ import main
from tests.test_readme import command_lines
from tools.small import as_small_png

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {path.stem: path for path in sorted((DOCS / "tutorials").glob("*.md"))}
PICTURES = {
    "pets_preview": "preview.png",
    "pets_before": "runs/pets/version_0/samples/epoch_000.png",
    "pets_curves": "runs/pets/version_0/curves.png",
    "pets_errors": "runs/pets/version_0/errors_test.png",
    "pets_uncertain": "out/most_uncertain.png",
    "carvana_preview": "preview.png",
    "carvana_after": "runs/carvana/version_0/samples/epoch_*.png",
    "carvana_curves": "runs/carvana/version_0/curves.png",
    "carvana_thresholds": "runs/carvana/version_0/precision_recall_test.png",
    "flowers_nine": "nine.png",
    "flowers_overfits": "runs/flowers_none/curves.png",
    "flowers_variants": "variants.png",
    "flowers_curves": "runs/flowers/version_0/curves.png",
    "flowers_inverted": "inverted.png",
    "flowers_crops": "crops.png",
    "flowers_confusion": "runs/flowers/version_0/confusion_matrix_test.png",
    "dogs_nine": "dogs.png",
    "dogs_crops": "crops.png",
    "dogs_cutmix": "cutmix.png",
    "dogs_mixup": "mixup.png",
    "detector_window": "scenes/windows/000001/*.jpg",
    "detector_boxes": "scenes/boxes/000001.jpg",
    "detector_heat_map": "scenes/heat_maps/000001/*.jpg",
}
"""Name of the picture, page first, to the file that it is made of: the last one where there are several."""


def commands(page: str) -> list[list[str]]:
    """The words of each command of a page, without the name of the program."""
    return [shlex.split(line)[1:] for line in command_lines(PAGES[page].read_text("utf-8"))]


def downloads(words: list[str]) -> bool:
    """Whether a command needs photos or weights that are not on the machine, or the reader's own photos."""
    if any(word.startswith("photos/") for word in words):
        return True
    invented = "--run" in words or any(part in word for word in words for part in ("synthetic", "demo", "scenes"))
    return words[0] in ("fit", "predict", "compare") and not invented


def sources(page: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The name of each picture of a page, and the file that its commands have left in ``folder``."""
    for name, pattern in PICTURES.items():
        if name.startswith(f"{page}_"):
            files = sorted(folder.glob(pattern))
            if not files:
                raise SystemExit(f"{folder / pattern}: the commands of {page} have left no such file")
            yield name, files[-1]


def make(page: str, folder: Path, run: bool, skipped: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        for words in commands(page) if run else ():
            if words[0] != skipped and not downloads(words):
                print(shlex.join(["lightning-seg", *words]), flush=True)
                if main(words):
                    raise SystemExit(1)
    for name, file in sources(page, folder):
        picture = as_small_png(Image.open(file))
        (DOCS / "images" / "tutorials" / f"{name}.png").write_bytes(picture)
        print(f"{name}.png {len(picture) / 1000:.0f} kB, from {file}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*", help=f"of {', '.join(PAGES)}; all without one")
    parser.add_argument("--pictures", action="store_true", help="run no command")
    parser.add_argument("--skip", help="a command that makes no picture, such as compare of flowers")
    given = parser.parse_args()
    for each in given.pages or PAGES:
        make(each, given.folder.resolve() / each, not given.pictures, given.skip)
