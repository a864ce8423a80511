"""``lightning-seg preview``: training pictures as the network sees them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_seg.commands.data_flags import keep_data
from lightning_seg.commands.outputs import checked_picture, save_picture
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.errors import ConfigError
from lightning_seg.plots.previews import TITLE_LENGTH, Cell, Masks, draw_preview
from lightning_seg.tasks.batches import check_image, keys_of


def preview(
    data: pl.LightningDataModule | None = None,
    output: str = "preview.png",
    num_images: int = 16,
    compare: bool = False,
    variants: int | None = None,
    index: int = 0,
    epoch: int = 0,
    masks: Masks = "tint",
    tint_background: bool = False,
) -> None:
    """Draw training pictures with their masks or classes, straight from the train loader.

    It also takes the flags of fit: one or several --config, --run RUN, --data.x VALUE. Those that are not about data
    are left aside.

    Args:
        data: Class of the data.
        output: Picture file to write.
        num_images: How many pictures.
        compare: Show each picture also as it is before the random draws.
        variants: Show one picture this many times, with its draws of as many epochs.
        index: Which picture of the training split that is.
        epoch: Whose draws, with --variants the first.
        masks: How masks are shown; colours can be judged best under an outline, or with none.
        tint_background: Darken the class called background, too.
    """
    path = checked_picture(output)
    _check_least({"num_images": (num_images, 1), "variants": (variants, 1), "index": (index, 0), "epoch": (epoch, 0)})
    if data is None:
        raise ConfigError("there is no data section; give --config pets, --run RUN or --data CLASS")
    loader = _train_loader(data)
    if variants is not None:
        mixes = getattr(data, "mixing", None) is not None
        cells, columns = list(_variants(loader.dataset, index, range(epoch, epoch + variants), compare, mixes)), None
    else:
        cells = list(_grid(loader, num_images, epoch, compare))
        # Pairs stay beside each other, and the sheet about as wide as high.
        columns = 2 * ceil(sqrt(len(cells) / 4)) if compare else None
    class_names: Sequence[str] = getattr(data, "class_names", ())
    save_picture(draw_preview(cells, class_names, columns, masks, tint_background), path)
    print(path)


def draw_training(data: pl.LightningDataModule, num_images: int, epoch: int) -> Figure:
    """Training pictures with the draws of an epoch, in its order; nothing is downloaded or written."""
    cells = list(_grid(_train_loader(data, prepare=False), num_images, epoch, compare=False))
    return draw_preview(cells, getattr(data, "class_names", ()))


def _train_loader(data: pl.LightningDataModule, prepare: bool = True) -> Any:
    if isinstance(data, DataModule):
        # A few pictures are looked at once.
        data.cache = False
        data.file_checks.checks = False
    if prepare:
        data.prepare_data()
    data.setup("fit")
    return data.train_dataloader()


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """The flags of ``fit`` as those of ``preview``; ``--compare`` needs no value."""
    words = keep_data(flags)
    bare = [word == "--compare" and after not in ("true", "false") for word, after in pairwise([*words, ""])]
    return [f"{word}=true" if alone else word for word, alone in zip(words, bare, strict=True)]


def _grid(loader: Any, num_images: int, epoch: int, compare: bool) -> Iterator[Cell]:
    if hasattr(loader.sampler, "set_epoch"):
        loader.sampler.set_epoch(epoch)
    samples = list(islice(_samples(loader), num_images))
    if len(samples) < num_images:
        print(f"{len(samples)} pictures: an epoch has no more, or leaves out its last partial batch")
    plain = _without_draws(loader.dataset) if compare else None
    class_names = getattr(loader.dataset, "class_names", ())
    for sample in samples:
        name = Path(sample.get("path", "")).name
        if plain is not None:
            yield _cell(plain[int(sample["index"])], name, class_names)
        yield _cell(sample, name if plain is None else f"epoch {epoch}", class_names)


def _variants(dataset: Any, index: int, epochs: range, compare: bool, mixes: bool) -> Iterator[Cell]:
    plain = _without_draws(dataset)
    if index >= len(dataset):
        raise ConfigError(f"index {index} does not exist; the training split has pictures 0 to {len(dataset) - 1}")
    if dataset.pipeline is None:
        print("augment is false: all variants are the same")
    if mixes:
        print("mixing needs a batch, so variants show one picture alone; leave --variants out to see mixed ones")
    class_names = getattr(dataset, "class_names", ())
    if compare:
        sample = plain[index]
        yield _cell(sample, Path(sample["path"]).name, class_names)
    for epoch in epochs:
        yield _cell(dataset[epoch, index], f"epoch {epoch}", class_names)


def _cell(sample: Mapping[str, Any], title: str, class_names: Sequence[str]) -> Cell:
    """How a sample is shown; the one place that knows the kinds of samples."""
    if "label" in sample:
        title = _caption(torch.as_tensor(sample["label"]), class_names, title)
    elif sample.get("lam", 1) < 1:
        # Of Mixup; the mask of the other picture is not drawn.
        title = f"{float(sample['lam']):.2f} of {title}"
    return Cell(sample["image"], title, sample.get("mask"))


def _caption(label: Tensor, class_names: Sequence[str], title: str) -> str:
    """Class and title; after mixing only the classes with their shares, the largest first."""
    names = class_names or [f"class_{index}" for index in range(int(label) + 1 if label.ndim == 0 else len(label))]
    if label.ndim == 0:
        return f"{names[int(label)]}: {title}"
    shares = [(float(label[index]), names[index]) for index in label.argsort(descending=True).tolist()]
    parts = [(share, name) for share, name in shares if share > 0]
    # Shortened here, since in the middle of all stands a share.
    room = (TITLE_LENGTH - len(" + ") * (len(parts) - 1)) // len(parts) - len("0.50 ")
    short = [(share, name if len(name) <= room else f"{name[: room - 1]}…") for share, name in parts]
    return " + ".join(f"{share:.2f} {name}" for share, name in short)


def _samples(batches: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        check_image(keys_of(batch, "train"), "train")
        for position in range(len(batch["image"])):
            yield {key: values[position] for key, values in batch.items()}


def _without_draws(dataset: Any) -> Any:
    if not isinstance(dataset, PictureDataset):
        raise ConfigError("--compare and --variants know the draws of this package's datasets alone; leave them out")
    return dataset.subset(range(len(dataset)))


def _check_least(values: Mapping[str, tuple[int | None, int]]) -> None:
    for name, (value, least) in values.items():
        if value is not None and value < least:
            raise ConfigError(f"{name} {value} is too small; give {least} or more")
