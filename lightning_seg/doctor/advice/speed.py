"""Findings about speed: pictures out of the loader against those through the network, and what makes either faster."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from lightning_seg.datamodules.base import DataModule
from lightning_seg.datamodules.workers import LoadingRemedy, Place, place_of
from lightning_seg.doctor.advice.network import Network
from lightning_seg.doctor.advice.own_loader import own_remedies, time_samples, without_failing
from lightning_seg.doctor.advice.pace import LoadingAdvice, Pace, advice
from lightning_seg.doctor.advice.stages import Stages, time_stages
from lightning_seg.doctor.advice.steps import time_steps
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.own_data import train_loader_of
from lightning_seg.doctor.own_samples import of_the_user
from lightning_seg.doctor.subject import Pictures, Subject
from lightning_seg.errors import DataError, UserError

SECONDS = 5.0
"""Of the loader; no batch is waited for after them."""
SLOW_LOADING = Kind(
    "slow-loading",
    "note",
    "steps wait for pictures more than a tenth of the time",
    "the device is idle meanwhile, and a training takes longer than it needs to",
    "--data.cache true, more --data.num_workers, or smaller picture files",
)
FIRST_STEP = Kind(
    "first-step-fails",
    "error",
    "fit ends with this line in its first epoch",
    "nothing can be trained; how fast it would be is not known",
    "as the line says; where memory is short, give a smaller --data.batch_size or --data.image_size",
)
KINDS = (FIRST_STEP, SLOW_LOADING)
MUCH, LONGEST = 0.1, 400
"""Share of the time; letters of an error."""


@dataclass(frozen=True)
class Speed:
    """Pictures per second.

    Args:
        stages: of one picture, on one core.
        num_workers: loader processes.
        is_cached: whether decoded pictures were read from a cache.
        loading: pictures per second out of the training loader.
        later: the same as expected of a cache that the first ``fit`` will fill; None where none will be filled.
        training: pictures per second through the network in training, that is there already; None without a network.
        device: of the network.
        together: pictures per second of both, computed; once a cache is filled.
        waiting: share of the time that steps wait for pictures, computed likewise.
        pictures: of an epoch.
        advice: what would help, the most helpful first.
    """

    stages: Stages
    num_workers: int
    is_cached: bool
    loading: float
    later: float | None
    training: float | None
    device: str
    together: float
    waiting: float
    pictures: int
    advice: tuple[LoadingAdvice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and the report."""
        return asdict(self)


def look_at_speed(
    subject: Subject, data: DataModule[Any], network: Network | None = None
) -> tuple[Speed | None, list[Finding]]:
    """``measure_speed``, and what follows from it, or from an error that a training would end with."""
    try:
        speed = measure_speed(subject, data, network)
    # What torch raises where memory is short, too.
    except (UserError, RuntimeError) as error:
        return None, [Finding(FIRST_STEP, count=1, detail=_told(error))]
    return speed, [] if speed is None else list(check_speed(speed))


def _told(error: Exception) -> str:
    """Its line; from a loader process it comes as a traceback that ends in it."""
    own = str(error).rpartition(f"\n{type(error).__module__}.{type(error).__name__}: ")[2]
    return " ".join(own.split())[:LONGEST]


def measure_speed(subject: Subject, data: DataModule[Any], network: Network | None = None) -> Speed | None:
    """Measure the loader of the training pictures that can be read; None if there are none. At most some 15 seconds.

    Args:
        subject: the dataset.
        data: whose loader it is.
        network: of the config, if there is one; its weights change.
    """
    trainer = None if network is None else network.make_trainer([])
    own = train_loader_of(data)
    source = _source(subject, data, trainer) if own is None else _own_source(subject, own, place_of(trainer))
    if source is None:
        return None
    stages = source.stages
    loading, batch = (
        _time_loader(source.loader, source.num_workers)
        if own is None
        else of_the_user("the loader to train on", lambda: _time_loader(source.loader, source.num_workers))
    )
    training = None if network is None else time_steps(network.task, batch, network.make_trainer)
    seconds = stages.from_cache if source.is_cached and stages.from_cache is not None else stages.from_files
    pace = Pace(seconds, loading, source.num_workers, training, place_of(trainer))
    pace = pace.with_remedy(LoadingRemedy("cache", "", pace.num_workers), stages) if source.will_be_cached else pace
    return Speed(
        stages,
        pace.num_workers,
        source.is_cached,
        round(loading, 1),
        round(pace.loading, 1) if source.will_be_cached else None,
        None if training is None else round(training, 1),
        "" if trainer is None else trainer.strategy.root_device.type,
        round(pace.together, 1),
        0.0 if training is None else round(max(0.0, 1 - pace.together / training), 3),
        source.pictures,
        advice(pace, stages, source.remedies),
    )


class _Source(NamedTuple):
    """Where training pictures come from."""

    stages: Stages
    loader: Any
    num_workers: int
    pictures: int  # of an epoch
    remedies: Sequence[LoadingRemedy]
    is_cached: bool = False
    will_be_cached: bool = False


def _source(subject: Subject, data: DataModule[Any], trainer: Any) -> _Source | None:
    train = _readable(subject)
    stages = None if train is None else time_stages(train, data.collate_fn(), data.batch_size)
    if train is None or stages is None:
        return None
    twin = data.without_filling(train)
    twin.trainer = trainer
    twin.batch_size = _in_time(twin.batch_size, stages)
    loader, is_cached = twin.train_dataloader(), train.cache is not None
    will_be_cached = bool(twin.cache) and not is_cached
    return _Source(stages, loader, twin.num_workers, len(train), twin.loading_remedies(), is_cached, will_be_cached)


def _own_source(subject: Subject, loader: Any, place: Place) -> _Source | None:
    train = _readable(subject)
    if train is None:
        return None
    # Records of a dataset of this package, in a datamodule of the user's own, tell no number.
    numbers = [getattr(record, "number", position) for position, record in enumerate(train.records)]
    stages, num_workers = time_samples(loader, numbers), int(getattr(loader, "num_workers", 0))
    some = without_failing(loader, numbers, _in_time(getattr(loader, "batch_size", None) or 1, stages))
    return _Source(stages, some, num_workers, len(loader.dataset), own_remedies(num_workers, place))


def _in_time(batch_size: int, stages: Stages) -> int:
    """Of large files a whole batch may take longer than all the time."""
    return max(1, min(batch_size, int(SECONDS / 4 / max(stages.from_files, 1e-9))))


def check_speed(speed: Speed) -> Iterator[Finding]:
    """Whether steps wait for pictures."""
    if speed.waiting <= MUCH or speed.training is None:
        return
    detail = (
        f"{speed.later or speed.loading:.0f} pictures/s come out of the loader, {speed.training:.0f} go through the "
        f"network on {speed.device}: {speed.waiting:.0%} of the time is lost"
    )
    remedy = "; ".join(f"{one.text}: about {one.gain:.2g} times as fast" for one in speed.advice)
    yield Finding(SLOW_LOADING, count=1, detail=detail, remedy=remedy, figures=speed.as_dict())


def _readable(subject: Subject) -> Pictures | None:
    """The training pictures whose files can all be used."""
    train = subject.splits.get("train")
    if train is None:
        return None
    good = [
        subject.record(look)
        for look in subject.looks()
        if look.split == "train" and not look.picture.problem and not (look.mask and look.mask.problem)
    ]
    return train.over(good, train.pipeline) if good else None


def _time_loader(loader: Any, num_workers: int) -> tuple[float, Any]:
    """Pictures per second, epoch after epoch until the time is over, and a batch.

    What the first batch of each process takes is not counted, since the processes start then.

    Raises:
        DataError: if there is no batch.
    """
    skipped, began = max(1, num_workers), time.perf_counter()
    pictures, start, epoch = 0, 0.0, 0
    while True:
        if hasattr(getattr(loader, "sampler", None), "set_epoch"):
            loader.sampler.set_epoch(epoch)
        number = -1
        for number, batch in enumerate(loader):
            now = time.perf_counter()
            if epoch == 0 and number + 1 <= skipped:
                start = now
            else:
                pictures += len(batch["image"])
            if pictures and now - began > SECONDS:
                return pictures / (now - start), batch
        if number < 0:
            raise DataError("the loader to train on gives no batch; give it a smaller batch_size, or drop_last=False")
        epoch += 1
