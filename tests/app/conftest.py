import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seg.__main__ import main
from lightning_seg.answers import LabelAnswer, MaskAnswer
from lightning_seg.app.controls import controls_of
from lightning_seg.app.sources import Source
from lightning_seg.images import read_image
from lightning_seg.inference.knobs import LabelKnobs, MaskKnobs
from lightning_seg.predictor import ClassifiedPicture, SegmentedPicture

CONFIGS = Path(__file__).parents[2] / "configs"
OLD_RUNS = Path(__file__).parents[1] / "fixtures" / "old_runs"
NAMES = ("dark", "bright")


def bright_pixels(options: Any) -> Callable[[str | Path], SegmentedPicture]:
    """A model whose masks can be computed by hand: pixels whose red is at least the threshold, 128 without one."""
    least = 256 * (options.get("threshold") or 0.5)
    MaskKnobs(**options)

    def ask(path: str | Path) -> SegmentedPicture:
        image = read_image(path)
        mask = (image[..., 0] >= least).astype(np.uint8)
        return SegmentedPicture.of(image, MaskAnswer(mask, 0.9, 0.1, None), NAMES)

    return ask


def bright_pictures(options: Any) -> Callable[[str | Path], ClassifiedPicture]:
    """A classifier: the mean of the red decides."""

    def ask(path: str | Path) -> ClassifiedPicture:
        image = read_image(path)
        share = float(image[..., 0].mean()) / 255
        probs = np.array([1 - share, share], np.float32)
        return ClassifiedPicture.of(image, LabelAnswer(probs, int(share > 0.5), max(share, 1 - share), 0.5), NAMES)

    return ask


@pytest.fixture(scope="session")
def masks() -> Source:
    controls = tuple(controls_of(MaskKnobs(), ("tile", "tta", "threshold")))
    return Source("bright/1", "finds bright pixels", "masks", NAMES, NAMES, controls, bright_pixels)


@pytest.fixture(scope="session")
def labels() -> Source:
    controls = tuple(controls_of(LabelKnobs(), ("tta",)))
    return Source("bright/2", "finds bright pictures", "labels", NAMES, NAMES, controls, bright_pictures)


@pytest.fixture(scope="session")
def pets_run(pets_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run at 64 pixels whose best checkpoint draws all classes, tested."""
    folder = tmp_path_factory.mktemp("app") / "pets"
    flags = ["--config", str(CONFIGS / "pets.yaml"), "--config", str(CONFIGS / "overrides" / "demo.yaml")]
    flags += ["--data.source", "real", "--data.root", str(pets_root), "--data.download", "false"]
    flags += ["--data.image_size", "64", "--data.batch_size", "4", *SMALL, "--run_folder", str(folder)]
    assert main(["fit", *flags, "--quiet"]) == 0
    checkpoint = folder / "checkpoints" / "best.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    name = next(name for name in reversed(content["state_dict"]) if name.endswith("weight"))
    content["state_dict"][name].normal_(0, 1, generator=torch.Generator().manual_seed(0))
    torch.save(content, checkpoint)
    assert main(["test", "--run", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="session")
def flowers_run(flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier at 32 pixels, tested."""
    folder = tmp_path_factory.mktemp("app") / "flowers"
    flags = ["--config", str(CONFIGS / "flowers.yaml"), "--data.root", str(flowers_root), "--data.download", "false"]
    flags += ["--data.image_size", "32", "--data.batch_size", "4", *SMALL, "--run_folder", str(folder)]
    assert main(["fit", *flags, "--quiet"]) == 0
    assert main(["test", "--run", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="session")
def detector_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that finds flowers in scenes, and was tested as a classifier of windows."""
    return Path(shutil.copytree(OLD_RUNS / "detector", tmp_path_factory.mktemp("app") / "detector"))


SMALL = [
    *("--data.num_workers", "0", "--data.cache", "false", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
    *("--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"),
]


@pytest.fixture(scope="session")
def served() -> Iterator[Callable[..., tuple[str, Path]]]:
    """Serves what is to be on a page from this process, and returns its address and the folder of its uploads."""
    pytest.importorskip("gradio", reason="gradio is not installed: pip install '.[app]'")
    from lightning_seg.app.page import Contents, build_page
    from lightning_seg.app.server import address_of, listen, own_folder, serving

    with ExitStack() as stack:

        def serve(source: Source, **contents: Any) -> tuple[str, Path]:
            folder = stack.enter_context(own_folder())
            taken = stack.enter_context(listen("127.0.0.1", 0))
            page = build_page(Contents(source, **contents), folder)
            stack.enter_context(serving(page, taken, "127.0.0.1"))
            return address_of(taken, "127.0.0.1"), folder

        yield serve
