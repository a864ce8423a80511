"""Findings about speed: pictures out of the loader against those through the network, and what makes either faster."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from lightning_seg.datamodules.base import DataModule
from lightning_seg.datamodules.workers import LoadingRemedy, place_of
from lightning_seg.doctor.advice.network import Network
from lightning_seg.doctor.advice.pace import LoadingAdvice, Pace, advice
from lightning_seg.doctor.advice.stages import Stages, time_stages
from lightning_seg.doctor.advice.steps import time_steps
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.subject import Pictures, Subject
from lightning_seg.errors import UserError

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
    train = _readable(subject)
    if train is None:
        return None
    stages = time_stages(train, data.collate_fn(), data.batch_size)
    if stages is None:
        return None
    trainer = None if network is None else network.make_trainer([])
    twin = data.without_filling(train)
    twin.trainer = trainer
    loading, batch = _time_loader(twin, stages)
    training = None if network is None else time_steps(network.task, batch, network.make_trainer)
    is_cached = train.cache is not None
    seconds = stages.from_cache if is_cached and stages.from_cache is not None else stages.from_files
    pace = Pace(seconds, loading, twin.num_workers, training, place_of(trainer))
    will_be = bool(twin.cache) and not is_cached
    pace = pace.with_remedy(LoadingRemedy("cache", "", pace.num_workers), stages) if will_be else pace
    return Speed(
        stages,
        pace.num_workers,
        is_cached,
        round(loading, 1),
        round(pace.loading, 1) if will_be else None,
        None if training is None else round(training, 1),
        "" if trainer is None else trainer.strategy.root_device.type,
        round(pace.together, 1),
        0.0 if training is None else round(max(0.0, 1 - pace.together / training), 3),
        len(train),
        advice(pace, stages, twin.loading_remedies()),
    )


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


def _time_loader(data: DataModule[Any], stages: Stages) -> tuple[float, Any]:
    """Pictures per second, epoch after epoch until the time is over, and a batch.

    What the first batch of each process takes is not counted, since the processes start then.
    """
    # Of large files a whole batch may take longer than all the time.
    data.batch_size = max(1, min(data.batch_size, int(SECONDS / 4 / stages.from_files)))
    loader: Any = data.train_dataloader()
    skipped, began = max(1, data.num_workers), time.perf_counter()
    pictures, start, epoch = 0, 0.0, 0
    while True:
        if hasattr(loader.sampler, "set_epoch"):
            loader.sampler.set_epoch(epoch)
        for number, batch in enumerate(loader):
            now = time.perf_counter()
            if epoch == 0 and number + 1 <= skipped:
                start = now
            else:
                pictures += len(batch["image"])
            if pictures and now - began > SECONDS:
                return pictures / (now - start), batch
        epoch += 1
