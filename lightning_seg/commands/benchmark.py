"""``lightning-seg benchmark detector``: the time of single windows against that of all in one pass."""

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
from lightning_seg.json_files import write_json
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask


def benchmark(
    what: Literal["detector"],
    backbone: str = "vgg16",
    weights: str | None = None,
    image: str | None = None,
    size: int | list[int] = 448,
    windows: Literal["all", "tutorial"] = "all",
    rounds: int = 3,
    device: str | None = None,
    output: str | None = None,
) -> None:
    """Measure how much faster one pass gives all windows than single windows do, on one picture.

    Both take turns, over all windows. Operations are counted, two for each multiplication and addition; their ratio is
    what the arithmetic allows. The two do not agree exactly, since a cut out window is padded with zeros at its border.
    The head alone is timed on one window and on all. One window of VGG16 takes as long as reading its weights; all
    windows read them once, so they take much less than their number times as long.

    Args:
        what: What to measure.
        backbone: Network that slides, see SlidingDetectorTask.
        weights: Its weights: imagenet, a file, numpy:0, or null for random ones.
        image: Picture file; without it noise.
        size: Side in pixels at which it is seen, or several for a table: '[224, 448, 672]'.
        windows: All of them, or without the last row and column as in the tutorial, 49 at 448 pixels.
        rounds: How often; the fastest counts.
        device: cpu or cuda; without it cuda where there is one.
        output: JSON file to write.
    """
    if rounds < 1:
        raise ConfigError(f"rounds {rounds} is too small; give 1 or more")
    sizes = [size] if isinstance(size, int) else size
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    task = SlidingDetectorTask(backbone, weights, freeze_encoder=False).eval().to(place)
    grid = task.grid
    for side in sizes:
        if side < grid.window or side % grid.stride:
            raise ConfigError(f"size {side} must be a multiple of {grid.stride} and at least the window, {grid.window}")
    if not sizes:
        raise ConfigError("size is empty; give one or more, for instance 448")
    results = []
    for side in sizes:
        cut = 1 if windows == "tutorial" and side > grid.window else 0
        result = _measure_size(task, _picture(image, side).to(place), cut, rounds)
        results.append(
            result
            | {"backbone": backbone, "weights": weights, "device": str(place), "threads": torch.get_num_threads()}
        )
        print(_text(results[-1]), flush=True)
    if len(results) > 1:
        print(_table(results))
    if output is not None:
        content = results[0] if isinstance(size, int) else results
        write_json(Path(output), content)


def _measure_size(task: SlidingDetectorTask, pixels: Tensor, cut: int, rounds: int) -> dict[str, Any]:
    """Measures one picture ``(1, 3, size, size)``, without its last ``cut`` rows and columns of windows."""
    size = pixels.shape[-1]
    shown = pixels[..., : size - cut * task.grid.stride, : size - cut * task.grid.stride]
    ways: dict[str, Callable[[], Tensor]] = {
        "crops": lambda: crop_probabilities(task, shown),
        "map": lambda: task.model.head.window_logits(_features(task, pixels, cut)).softmax(dim=1),
    }
    with torch.inference_mode():
        features, cells = _features(task, pixels, cut), task.model.cells
        head = {
            "head": lambda: task.model.head.window_logits(features),
            "head_of_one": lambda: task.model.head.window_logits(features[..., :cells, :cells]),
        }
        counted = {name: _count(way) for name, way in ways.items()}
        seconds = _measure(ways | head, rounds, pixels.device)
    answers = {name: answer for name, (answer, _) in counted.items()}
    operations = {name: number for name, (_, number) in counted.items()}
    return {"size": size, **_compare(answers, seconds, operations)}


def _picture(image: str | None, size: int) -> Tensor:
    if image is None:
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8, generator=generator)
    return resize(torch.from_numpy(read_image(image)).permute(2, 0, 1), (size, size)).unsqueeze(0)


def _features(task: SlidingDetectorTask, pixels: Tensor, cut: int) -> Tensor:
    features: Tensor = task.model.encoder(task.normalize(pixels))
    height, width = features.shape[-2:]
    return features[..., : height - cut, : width - cut]


def _count(way: Callable[[], Tensor]) -> tuple[Tensor, int]:
    """The result of a call, and its number of operations."""
    with FlopCounterMode(display=False) as counter:
        answer = way()
    return answer, int(counter.get_total_flops())


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
        **{f"seconds/{name}": round(value, 5) for name, value in seconds.items()},
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
        f"  the head takes {1000 * result['seconds/head_of_one']:.1f} ms for one window and "
        f"{1000 * result['seconds/head']:.1f} ms for all"
    )
    if result["weights"] is None:
        lines.append("  weights are random: give --weights and --image to see how far the two agree")
    else:
        lines.append(
            f"  the same likeliest class in {100 * result['same_class']:.0f} % of the windows; "
            f"{100 * result['mean_difference']:.1f} % of the probability lies elsewhere on average"
        )
    return "\n".join(lines)


def _table(results: list[dict[str, Any]]) -> str:
    """A row per size, in Markdown."""
    lines = [
        "| pixels | windows | each by itself | one pass | times as fast | times fewer operations | head of one, all |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results:
        head = f"{1000 * one['seconds/head_of_one']:.1f} ms, {1000 * one['seconds/head']:.1f} ms"
        lines.append(
            f"| {one['size']} | {one['windows']} | {one['seconds/crops']:.3f} s | {one['seconds/map']:.3f} s | "
            f"{one['ratio']:.1f} | {one['ratio_of_operations']:.1f} | {head} |"
        )
    return "\n".join(lines)
