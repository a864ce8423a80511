"""A trained task as a function of a picture, with what can be asked of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from lightning_seg.answers import Answer
from lightning_seg.batch import BoxPrediction, LabelPrediction, MaskPrediction
from lightning_seg.errors import ConfigError, one_line
from lightning_seg.images import Array
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.tasks.loading import load_task
from lightning_seg.tasks.supervised import SupervisedTask

PREDICTIONS = (MaskPrediction, LabelPrediction, BoxPrediction)


class AppliedTask:
    """A task on a device.

    Args:
        task: the trained task.
        image_size: (height, width) of a picture for the network; None keeps its size.
        device: where to compute; None takes CUDA where there is one.
        given: knobs, see ``SupervisedTask.make_inference``.

    Raises:
        ConfigError: if it is no task of this package, has no such knob, or there is no such device.
    """

    def __init__(
        self,
        task: SupervisedTask,
        image_size: tuple[int, int] | None,
        device: str | torch.device | None,
        given: Mapping[str, Any],
    ) -> None:
        if not hasattr(task, "make_inference"):
            raise ConfigError(
                f"Predictor applies tasks of this package, and {type(task).__name__} is none; derive it from one, or "
                "call it yourself"
            )
        self.inference = task.make_inference(given)
        self.image_size = task.shown_size(image_size, self.inference)
        self.device, self.task = _on_device(task, device)
        self.class_names = task.known_class_names()
        self.label_names = task.reported_names()
        self.mask_encoding: MaskEncoding | None = getattr(task, "mask_encoding", None)

    def answer(self, shown: Array, size: tuple[int, int]) -> Answer:
        """What it says of a picture.

        Args:
            shown: ``(H, W, 3)`` uint8 RGB, as the network sees it.
            size: (height, width) of its file.
        """
        images = torch.from_numpy(shown).permute(2, 0, 1).unsqueeze(0).to(self.device)
        with torch.inference_mode():
            (prediction,) = self.task.predict_pictures(images, [size], self.inference)
        answer: Answer = prediction.as_arrays()
        return answer


def load_answering(checkpoint: Path, trust: Sequence[str] = ()) -> tuple[SupervisedTask, tuple[int, int] | None]:
    """A trained task that answers pictures, and the (height, width) it was trained at; see ``load_task``.

    Raises:
        ConfigError: also if it is of another kind.
    """
    task, image_size = load_task(checkpoint, trust)
    if getattr(task, "prediction", None) not in PREDICTIONS:
        raise ConfigError(
            f"{checkpoint}: {type(task).__name__} gives neither masks nor labels; give a segmentation or "
            "classification run"
        )
    return cast(SupervisedTask, task), image_size


def _on_device(task: Any, device: str | torch.device | None) -> tuple[torch.device, Any]:
    """The device and the task on it, in eval mode."""
    try:
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return chosen, task.eval().to(chosen)
    # torch answers a device that is not there with an AssertionError, too.
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device}: cannot be used here ({one_line(error)[:200]}); give cpu") from error
