"""``lightning-seg benchmark detector``: every window by itself against all of them out of one pass."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from lightning_seg.errors import ConfigError
from lightning_seg.images import read_image
from lightning_seg.inference.boxes import crop_probabilities, resize
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask


def benchmark(
    what: Literal["detector"],
    backbone: str = "vgg16",
    weights: str | None = None,
    image: str | None = None,
    size: int = 448,
    windows: Literal["all", "tutorial"] = "all",
    rounds: int = 3,
    device: str | None = None,
    output: str | None = None,
) -> None:
    """Measure how much faster all windows come out of one pass than each by itself, on one picture in one run.

    Both take turns. Operations are counted, two for each multiplication and addition; their ratio is what the
    arithmetic allows. The two do not agree exactly, since a cut out window is padded with zeros at its border.

    Args:
        what: What to measure.
        backbone: Network that slides, see SlidingDetectorTask.
        weights: Its weights: imagenet, a file, numpy:0, or null for random ones.
        image: Picture file; without it noise.
        size: Side in pixels at which it is seen.
        windows: All of them, or without the last row and column as in the tutorial, 49 at 448 pixels.
        rounds: How often; the fastest counts.
        device: cpu or cuda; without it cuda where there is one.
        output: JSON file to write.
    """
    if rounds < 1:
        raise ConfigError(f"rounds {rounds} is too small; give 1 or more")
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    task = SlidingDetectorTask(backbone, weights, freeze_encoder=False).eval().to(place)
    grid = task.grid
    if size < grid.window or size % grid.stride:
        raise ConfigError(f"size {size} must be a multiple of {grid.stride} and at least the window, {grid.window}")
    pixels = _picture(image, size).to(place)
    cut = 1 if windows == "tutorial" and size > grid.window else 0
    ways: dict[str, Callable[[], Tensor]] = {
        "crops": lambda: crop_probabilities(task, pixels[..., : size - cut * grid.stride, : size - cut * grid.stride]),
        "map": lambda: _of_map(task, pixels, cut),
    }
    with torch.inference_mode():
        answers = {name: way() for name, way in ways.items()}
        operations = {name: _count(way) for name, way in ways.items()}
        seconds = _measure(ways, rounds, place)
    result = _compare(answers, seconds, operations)
    result |= {"backbone": backbone, "size": size, "device": str(place), "threads": torch.get_num_threads()}
    print(_text(result))
    if output is not None:
        Path(output).write_text(json.dumps(result, indent=2) + "\n")


def _picture(image: str | None, size: int) -> Tensor:
    if image is None:
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8, generator=generator)
    return resize(torch.from_numpy(read_image(image)).permute(2, 0, 1), (size, size)).unsqueeze(0)


def _of_map(task: SlidingDetectorTask, pixels: Tensor, cut: int) -> Tensor:
    features = task.model.encoder(task.normalize(pixels))
    height, width = features.shape[-2:]
    return task.model.head.window_logits(features[..., : height - cut, : width - cut]).softmax(dim=1)


def _count(way: Callable[[], Tensor]) -> int:
    with FlopCounterMode(display=False) as counter:
        way()
    return int(counter.get_total_flops())


def _measure(ways: dict[str, Callable[[], Tensor]], rounds: int, device: torch.device) -> dict[str, float]:
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if device.type == "cuda":
                torch.cuda.synchronize()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def _compare(answers: dict[str, Tensor], seconds: dict[str, float], operations: dict[str, int]) -> dict[str, Any]:
    crops, from_map = (answers[name].flatten(2)[0].cpu() for name in ("crops", "map"))
    return {
        "windows": crops.shape[1],
        **{f"seconds/{name}": round(value, 4) for name, value in seconds.items()},
        **{f"gflop/{name}": round(value / 1e9, 2) for name, value in operations.items()},
        "ratio": round(seconds["crops"] / seconds["map"], 2),
        "ratio_of_operations": round(operations["crops"] / operations["map"], 2),
        "same_class": round((crops.argmax(dim=0) == from_map.argmax(dim=0)).float().mean().item(), 3),
        "mean_difference": round((crops - from_map).abs().sum(dim=0).mean().item() / 2, 4),
    }


def _text(result: dict[str, Any]) -> str:
    lines = [f"{result['backbone']}, {result['windows']} windows of a picture of {result['size']} pixels"]
    for name, title in (("crops", "every window by itself"), ("map", "all out of one pass")):
        seconds, gflop = result[f"seconds/{name}"], result[f"gflop/{name}"]
        lines.append(f"  {title:<24}{seconds:>9.3f} s{gflop:>11.1f} GFLOP{gflop / seconds:>8.0f} GFLOP/s")
    lines.append(f"  {result['ratio']:.1f} times as fast; {result['ratio_of_operations']:.1f} times fewer operations")
    lines.append(
        f"  the same likeliest class in {100 * result['same_class']:.0f} % of the windows; "
        f"{100 * result['mean_difference']:.1f} % of the probability lies elsewhere on average"
    )
    return "\n".join(lines)
