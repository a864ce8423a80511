"""The base of the datamodules: arguments, set-up, loaders, synthetic stand-in."""

import copy
import logging
from abc import ABC
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal, Self

from torch.utils.data import DataLoader

from lightning_seg.augmentation.mixing import Mixing, MixingCollate
from lightning_seg.augmentation.pipelines import Augment, resolve_pipeline
from lightning_seg.augmentation.seeding import EvalSampler, SeededPipeline, TrainSampler
from lightning_seg.batch import Split
from lightning_seg.datamodules.file_checks import SPLITS_OF, FileChecks, Unreadable
from lightning_seg.datamodules.kept import Cached, check_cache, open_kept
from lightning_seg.datamodules.loaders import TrainLoader, make_loader, picture_loader
from lightning_seg.datamodules.picture_source import Collate, Pictures, PictureSource
from lightning_seg.datamodules.sizes import as_size
from lightning_seg.datamodules.stored import not_set_up
from lightning_seg.datamodules.workers import LoadingRemedy, choose_num_workers, loading_remedies, place_of
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.datasets.pictures import PictureFiles
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.measuring import Measuring
from lightning_seg.numbers import at_least
from lightning_seg.signatures import hide_options
from lightning_seg.synthetic.marker import is_synthetic

Loader = DataLoader[Any]
log = logging.getLogger(__name__)


class DataModule(PictureSource[Pictures], ABC):
    """Loaders of pictures; a subclass defines where pictures come from, how they are split, and their labels.

    Args:
        root: folder of the dataset.
        source: ``real`` reads the files in ``root``; ``synthetic`` first writes a small dataset there.
        image_size: side, or (height, width), of the pictures for the model; None keeps their sizes, which needs
            batch_size 1 or a pipeline that crops to one size. Evaluation then takes one picture at a time.
        batch_size: pictures per step and process.
        num_workers: loader processes of each training process; None lets ``choose_num_workers`` decide by its cores,
            the device and the cache.
        augment: True for the dataset's pipeline, False for none, a name of ``augmentation.pipelines.PIPELINES``, or a
            list of Albumentations transforms, in a config by ``class_path`` and ``init_args``.
        mixing: CutMix or Mixup of training pictures, see ``Mixing``: ``{kind: cutmix, prob: 0.5}``.
        val_fraction: share of the training pictures held out for validation.
        seed: of the split, the order and the random draws.
        cache: keep the decoded and resized pictures of training and validation. ``disk`` or True: for all runs, see
            ``datamodules.kept``. ``ram``: for this process, in temporary files, see ``PictureCache``.
        cache_dir: folder of the disk cache, in place of ``root/.lightning_seg_cache``.
        download: fetch files that are missing in ``root``.
        start_method: ``fork``, ``spawn`` or ``forkserver`` for the loader processes; None is Python's default.
        persistent_workers: keep the loader processes from one epoch to the next.
        check_pictures: read every picture once before the first batch, in all cores; what is seen is remembered, so it
            costs its time once for all runs.
        unreadable: ``error`` refuses a dataset with a picture that cannot be read; ``skip`` leaves such pictures out.

    Raises:
        ConfigError: if an argument has an impossible value.
    """

    measuring = Measuring()
    """How validation and test look at pictures; see ``measure_as``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hide_options(cls)

    def __init__(
        self,
        root: str | Path,
        source: Literal["real", "synthetic"] = "real",
        image_size: int | tuple[int, int] | None = 128,
        batch_size: int = 16,
        num_workers: int | None = None,
        augment: Augment = True,
        mixing: Mixing | None = None,
        val_fraction: float = 0.1,
        seed: int = 0,
        cache: Cached = False,
        cache_dir: str | Path | None = None,
        download: bool = False,
        start_method: Literal["fork", "spawn", "forkserver"] | None = None,
        persistent_workers: bool = True,
        check_pictures: bool = True,
        unreadable: Unreadable = "error",
    ) -> None:
        super().__init__()
        self.root = Path(root).expanduser()
        self.source = source
        if source not in ("real", "synthetic"):
            raise ConfigError(f"source {source!r} does not exist; choose real or synthetic")
        self.image_size = None if image_size is None else as_size(image_size)
        self.predict_size = self.image_size
        """(height, width) of pictures in the predict stage; None for tiles."""
        self.batch_size = at_least(1, "batch_size", batch_size)
        self._num_workers = None if num_workers is None else at_least(0, "num_workers", num_workers)
        self.pipeline = resolve_pipeline(augment, self.default_pipeline)
        self.mixing = mixing
        self.val_fraction = val_fraction
        self.seed = at_least(0, "seed", seed)
        self.cache = check_cache(cache, cache_dir)
        self.cache_dir = None if cache_dir is None else Path(cache_dir).expanduser()
        self.download = download
        self.start_method = start_method
        self.persistent_workers = persistent_workers
        self.unreadable, self.file_checks = unreadable, FileChecks(check_pictures, unreadable)
        self.left_out = self.file_checks.left_out
        """Paths of pictures that take no part although they are there, by the reason."""
        self.passed_over: list[str] = []
        """Paths of files that no split takes although they lie among the pictures, as far as the set-up has seen."""
        self.datasets: dict[str, Pictures] = {}
        self._trains = self._has_opened = False

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def num_workers(self) -> int:
        """Loader processes in training; if no number is given, chosen by the place of training."""
        return self._workers(bool(self.cache))

    @num_workers.setter
    def num_workers(self, number: int) -> None:
        self._num_workers = number

    def _workers(self, is_cached: bool) -> int:
        given = self._num_workers
        return choose_num_workers(is_cached, place_of(self.trainer)) if given is None else given

    def faster_loading(self) -> str:
        """A remedy for steps that wait for training pictures; it follows the word "give"."""
        return self.loading_remedies()[0].text

    def loading_remedies(self) -> list[LoadingRemedy]:
        """All that makes pictures come faster, what usually helps most first."""
        place = place_of(self.trainer)
        return loading_remedies(bool(self.cache), self.image_size is not None, self.num_workers, place)

    def without_filling(self, train: Pictures) -> Self:
        """The same data with other training pictures; its loaders read from a cache that is there, and fill none."""
        twin = copy.copy(self)
        twin.datasets, twin._trains, twin._has_opened = {**self.datasets, "train": train}, False, False
        return twin

    def measure_as(self, measuring: Measuring) -> None:
        """Give validation and test what is compared in this way; called before ``setup``."""
        if not self.measuring.original_size:
            self._trained = self.image_size, self.cache
        self.measuring = measuring
        self.image_size, self.cache = (measuring.shown_size, False) if measuring.original_size else self._trained

    def read_original_sizes(self, shown_size: tuple[int, int] | None = None) -> None:
        """``measure_as`` for data alone: at the size of the files, pictures shown at (height, width) or as they are."""
        self.measure_as(Measuring(original_size=True, shown_size=shown_size))

    def prepare_data(self) -> None:
        if self.source == "synthetic":
            self.write_synthetic()
        elif self.download:
            if is_synthetic(self.root):
                raise DataError(
                    f"{self.root} holds synthetic pictures, so the real ones cannot be downloaded to it; give another "
                    "--data.root, or --data.source synthetic"
                )
            self.download_missing()

    def setup(self, stage: str) -> None:
        self._trains = self._trains or stage == "fit"
        if self.source == "real" and is_synthetic(self.root):
            log.warning("%s holds synthetic pictures, not the real dataset", self.root)
        if stage in ("fit", "validate") and "train" not in self.datasets:
            train, val = self.make_train_val()
            self.check_pipeline()
            train.pipeline = SeededPipeline(self.pipeline, self.seed) if self.pipeline else None
            self._add("train", train)
            if val is not None:
                self._add("val", val)
            elif stage == "validate":
                raise DataError("there are no pictures to validate on; give --data.val_fraction above 0")
        if stage in ("test", "predict") and "test" not in self.datasets:
            test = self.make_test()
            test.groups = [self.group(record) for record in test.records]
            self._add("test", test)
        self._check_files(SPLITS_OF.get(stage, ()))

    def _check_files(self, splits: Iterable[str]) -> None:
        # A cache that is filled reads every picture, too.
        fills = self._trains and self.cache in (True, "disk") and self.file_checks.unreadable == "error"
        to_read = [] if self._only_tries() else [split for split in splits if split == "test" or not fills]
        self.file_checks.check(to_read, self.datasets, self.root, self.cache_dir)

    def _only_tries(self) -> bool:
        """Whether only a few pictures are looked at."""
        return bool(self.trainer and getattr(self.trainer, "fast_dev_run", False))

    def _add(self, split: str, dataset: Pictures) -> None:
        # The test pictures are read once; caching them would only write them twice.
        if self.cache and split != "test":
            dataset.cached_size()
            if self.cache == "ram":
                dataset.enable_cache()
        self.datasets[split] = dataset

    def open_cache(self) -> Path | None:
        """Read training and validation pictures from the cache on the disk; a training fills it first.

        Returns:
            Its folder; None without a cache, or if pictures are read once.
        """
        parts = [dataset for split, dataset in self.datasets.items() if split != "test"]
        return open_kept(self.keepable(), parts, self.root, self.cache_dir, self._trains and not self._only_tries())

    def _open_once(self) -> None:
        """Called after all checks of the files, whose messages are clearer."""
        if self.cache in (True, "disk") and not self._has_opened:
            self.open_cache()
            self._has_opened = True

    def training_pictures(self) -> Pictures:
        """The pictures of the training split, also before ``setup``."""
        return self.datasets["train"] if "train" in self.datasets else self.make_train_val()[0]

    def pictures_of(self, split: Split) -> list[str]:
        """The paths of a split's pictures, also before ``setup``; none where it has none.

        Raises:
            DataError: if files are missing or wrong.
        """
        return self.pictures_by_split([split])[split]

    def pictures_by_split(self, splits: Collection[Split]) -> dict[Split, list[str]]:
        """``pictures_of`` for several splits, which are listed together."""
        known: dict[str, Pictures | None] = {**self.datasets}
        if not known.keys() >= {*splits} - {"test"}:
            known["train"], known["val"] = self.make_train_val()
        if "test" in splits and "test" not in known:
            known["test"] = self.make_test()
        return {split: _paths(known[split]) for split in splits}

    def train_dataloader(self) -> Loader:
        """New draws and a new order in each epoch; a last partial batch is left out."""
        dataset = self._set_up("train", "fit")
        self._open_once()
        sampler = TrainSampler(dataset, seed=self.seed)
        collate = self.collate_fn()
        if self.mixing is not None:
            collate = MixingCollate(collate, self.mix_fn(), self.mixing, self.seed)
        drop_last = len(sampler) >= self.batch_size
        return self._loader(dataset, sampler, collate, self.batch_size, kind=TrainLoader, drop_last=drop_last)

    def val_dataloader(self) -> Loader:
        """Empty if there are no pictures to validate on."""
        if "val" not in self.datasets:
            self._set_up("train", "validate")
            return DataLoader([])  # type: ignore[arg-type]
        self._open_once()
        return self._eval_loader("val")

    def test_dataloader(self) -> Loader:
        self._set_up("test", "test")
        return self._eval_loader("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test pictures without labels."""
        test = self._set_up("test", "predict")
        paths = [test.image_path(record) for record in test.records]
        return picture_loader(PictureFiles(paths, self.predict_size), self.batch_size, self._workers(False))

    def _set_up(self, split: str, stage: str) -> Pictures:
        """The pictures of a split that a stage has set up."""
        if split not in self.datasets:
            raise not_set_up(self, stage)
        return self.datasets[split]

    def _eval_loader(self, split: str) -> Loader:
        dataset = self.datasets[split]
        # Pictures as they are differ in size, and so do their masks.
        batch_size = 1 if self.image_size is None or self.measuring.original_size else self.batch_size
        return self._loader(dataset, EvalSampler(dataset), self.collate_fn(), batch_size)

    def _loader(self, dataset: Pictures, sampler: Any, collate: Collate, batch_size: int, **options: Any) -> Loader:
        # The test pictures are never cached.
        workers = self._workers(bool(self.cache) and dataset is not self.datasets.get("test"))
        return make_loader(
            dataset,
            sampler,
            collate,
            batch_size,
            workers,
            persistent_workers=workers > 0 and self.persistent_workers,
            multiprocessing_context=self.start_method if workers else None,
            **options,
        )


def _paths(dataset: PictureDataset[Any, Any] | None) -> list[str]:
    return [] if dataset is None else [str(dataset.image_path(record)) for record in dataset.records]
