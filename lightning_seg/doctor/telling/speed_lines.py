"""How fast pictures come and go, as lines on a terminal."""

from collections.abc import Iterator

from lightning_seg.doctor.advice.speed import Speed
from lightning_seg.doctor.advice.stages import Stages
from lightning_seg.doctor.telling.number_lines import WIDTH, wrapped
from lightning_seg.numbers import count_of


def describe_speed(speed: Speed, width: int = WIDTH) -> list[str]:
    """Where the time goes, and what would help."""
    return [wrapped(line, width) for line in speed_sentences(speed)]


def speed_sentences(speed: Speed) -> Iterator[str]:
    """The same, each in one line."""
    yield from _loading(speed)
    yield from _training(speed)
    yield from _advice(speed)


def _loading(speed: Speed) -> Iterator[str]:
    stages = speed.stages
    whole = f"{1000 * stages.from_files:.2f} ms"
    yield f"one picture takes {whole} of one core, by the median of {stages.files} ({_parts(stages)})"
    source = "your dataset" if stages.own else "the cache" if speed.is_cached else "the files"
    later = "" if speed.later is None else f"; about {_rate(speed.later)} once the first fit has filled the cache"
    processes = count_of(speed.num_workers, "process")
    yield f"loader: {_rate(speed.loading)} pictures/s from {source} with {processes}{later}"


def _training(speed: Speed) -> Iterator[str]:
    if speed.training is None:
        yield "network: none is given, so nothing is known of its speed; give --config or --model"
        return
    yield f"network: {_rate(speed.training)} pictures/s in training on {speed.device}"
    yield (
        f"together about {_rate(speed.together)} pictures/s, steps wait {speed.waiting:.0%} of the time; an epoch of "
        f"{count_of(speed.pictures, 'picture')} takes {_duration(speed.pictures / speed.together)}"
    )


def _advice(speed: Speed) -> Iterator[str]:
    of_what = "" if speed.training is not None else " out of the loader"
    for one in speed.advice:
        yield f"give {one.text}: about {one.gain:.2g} times as many pictures/s{of_what}"
    if not speed.advice:
        yield "nothing is known that makes your dataset faster" if speed.stages.own else "faster loading would not help"


def _parts(stages: Stages) -> str:
    names = ("open", "decode", "resize", "mask", "augment", "own", "collate")
    words = {"own": "your dataset"}
    parts = [f"{words.get(name, name)} {1000 * getattr(stages, name):.2f}" for name in names if getattr(stages, name)]
    if stages.cached is not None:
        parts.append(f"from a cache {1000 * stages.cached:.2f} in place of all before augment")
    return ", ".join(parts)


def _rate(pictures: float) -> str:
    return f"{pictures:,.0f}" if pictures >= 10 else f"{pictures:.2g}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
