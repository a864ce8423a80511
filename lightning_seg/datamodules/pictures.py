"""Any pictures as a datamodule, for ``Trainer.predict``."""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import DataLoader

from lightning_seg.batch import PictureSample, Unreadable
from lightning_seg.datamodules.loaders import picture_loader
from lightning_seg.datamodules.sizes import as_size
from lightning_seg.datamodules.stored import StoredDataModule, not_set_up
from lightning_seg.datamodules.workers import choose_num_workers, place_of
from lightning_seg.datasets.finding import find_pictures
from lightning_seg.datasets.pictures import PictureFiles
from lightning_seg.mask_encoding import MaskEncoding


class PicturesDataModule(StoredDataModule):
    """Pictures to predict.

    Args:
        images: files, folders and patterns.
        image_size: side, or (height, width), of the pictures for the model; None keeps their sizes, for tiles.
        batch_size: pictures at once; pictures of their own size come one at a time.
        num_workers: loader processes; None lets ``choose_num_workers`` decide.

    Raises:
        ConfigError: if ``image_size`` is impossible.
        DataError: at set-up, if an entry of ``images`` matches no file.
    """

    mask_encoding: MaskEncoding | None = None
    """What masks of the dataset hold that it stands for."""

    def __init__(
        self,
        images: str | Path | Sequence[str | Path],
        image_size: int | tuple[int, int] | None = None,
        batch_size: int = 16,
        num_workers: int | None = None,
    ) -> None:
        super().__init__()
        self.images = [images] if isinstance(images, str | Path) else list(images)
        self.image_size = None if image_size is None else as_size(image_size)
        self.dataset: PictureFiles | None = None
        self.batch_size = batch_size
        self.num_workers = choose_num_workers(False, place_of()) if num_workers is None else num_workers

    def setup(self, stage: str) -> None:
        self.dataset = PictureFiles(find_pictures(self.images), self.image_size)

    def predict_dataloader(self) -> DataLoader[PictureSample | Unreadable]:
        if self.dataset is None:
            raise not_set_up(self, "predict")
        return picture_loader(self.dataset, self.batch_size, self.num_workers)
