"""A classifier that finds objects by sliding over its own feature map; it needs no boxes for training."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

import torch
from torch import Tensor

from lightning_seg.batch import BoxPrediction, ClassificationBatch, ObjectBatch, Split
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.windows import Grid
from lightning_seg.measuring import Measuring
from lightning_seg.metrics import SplitScores
from lightning_seg.metrics.detection import CentreScores, DetectionScores
from lightning_seg.metrics.parts import Part
from lightning_seg.models.imagenet import IMAGENET_CLASSES
from lightning_seg.models.normalization import Normalization
from lightning_seg.models.sliding.backbones import create_sliding, sliding_normalization
from lightning_seg.models.sliding.classifier import SlidingClassifier
from lightning_seg.tasks.class_groups import ClassGroups, Labels, as_mapping, make_labels
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.options import PretrainedLabels
from lightning_seg.tasks.truths import check_boxes


class SlidingDetectorTask(ClassificationTask):
    """A classifier of windows, trained on pictures of one window, that detects objects in pictures of any size.

    Training, validation and test are those of a classifier, on any datamodule of labelled pictures whose ``image_size``
    is the window. ``predict`` takes whole pictures: one pass of the convolutions gives the probabilities of all
    windows, see ``BoxInference``.

    Args:
        backbone: ``vgg16`` (torchvision's: 14,714,688 parameters of features and 123,642,856 of the head),
            ``mobilenet_v2``, or a network of timm whose head averages a feature map.
        weights: ``imagenet``, a file, ``numpy:SEED`` for reproducible random ones of VGG16, or None; see
            ``create_sliding``.
        num_classes: number of classes; if the weights have another number, the last layer starts at random.
        normalization: what the weights expect, see ``Normalize``; None takes the published value.
        class_groups: coarse labels to report in place of classes, see ``ClassGroups``: ``pets`` sums ImageNet's dogs
            and cats.
        background: class of pictures without an object: it is trained and never reported. Without it every window is
            some object, even a window of grass.
        window: side in pixels; None takes the network's own.
        freeze_encoder: train the head alone; with ``unfreeze_epoch`` the convolutions train later.
        options: see ``ClassificationTask``.

    Raises:
        ConfigError: if there is no such network or class, or arguments contradict each other.
        WeightsError: if there are no such weights, or they are of another network.
        DownloadError: if the published weights cannot be fetched.
    """

    model: SlidingClassifier
    prediction = BoxPrediction
    inference: BoxInference  # type: ignore[assignment]

    def __init__(
        self,
        backbone: str = "vgg16",
        weights: str | None = "imagenet",
        num_classes: int = 1000,
        normalization: Normalization | None = None,
        class_groups: ClassGroups | None = None,
        background: str | None = None,
        window: int | None = None,
        freeze_encoder: bool = True,
        **options: Unpack[PretrainedLabels],
    ) -> None:
        # Checkpoints hold plain values only, and save_hyperparameters reads these names.
        weights = None if weights is None else str(weights)
        class_groups = as_mapping(class_groups)
        model = create_sliding(backbone, weights, num_classes, window)
        leaves_normalization = normalization is None
        if normalization is None:
            normalization = sliding_normalization(backbone, weights)
        super().__init__(
            model=model, num_classes=num_classes, normalization=normalization, freeze_encoder=freeze_encoder, **options
        )
        self.leaves_normalization = leaves_normalization
        self.inference = BoxInference()
        self.detections = SplitScores({"found": DetectionScores(), "centre": CentreScores()})
        self._labels: Labels | None = None
        self.example_input_array = torch.zeros(1, 3, model.window, model.window, dtype=torch.uint8)
        self.warn_of_random_features("weights")

    def known_class_names(self) -> tuple[str, ...]:
        """The given or learned names; for 1,000 classes ImageNet's; otherwise ``class_0``, ``class_1``, ..."""
        if self.classes.names is None and self.hparams["num_classes"] == len(IMAGENET_CLASSES):
            return IMAGENET_CLASSES
        return super().known_class_names()

    @property
    def labels(self) -> Labels:
        """The reported labels: groups of classes, or the classes.

        Raises:
            ConfigError: if a group does not fit the classes.
        """
        names = self.known_class_names()
        if self._labels is None or self._labels.class_names != names:
            self._labels = make_labels(self.hparams["class_groups"], names, self.hparams["background"])
        return self._labels

    def reported_names(self) -> tuple[str, ...]:
        return self.labels.names

    def setup(self, stage: str) -> None:
        super().setup(stage)
        # Mistakes show before the first epoch.
        labels = self.labels
        if self.measuring.original_size:
            names = getattr(getattr(self.trainer, "datamodule", None), "class_names", None)
            self._label_of = torch.tensor(labels.indices(labels.class_names if names is None else names))

    def learn_from(self, data: Any) -> None:
        # Objects are compared by the names of their labels, and predicted, whatever the network was trained on.
        if not self.measuring.original_size and self.trainer.state.fn != "predict":
            super().learn_from(data)

    @classmethod
    def keeps_its_classes(cls, given: Mapping[str, Any], is_trained: bool, predicts: bool) -> bool:
        # Without weights it knows nothing yet, so it may as well be asked for the classes of the data.
        return predicts or is_trained or given.get("weights") is not None

    @classmethod
    def is_ready(cls, given: Mapping[str, Any]) -> bool:
        return given.get("weights") is not None and given.get("num_classes") == len(IMAGENET_CLASSES)

    def check_picture_size(self, size: Sequence[int]) -> None:
        window = self.model.window
        if tuple(size) != (window, window):
            raise ConfigError(
                f"image_size {list(size)} is not the window that {self.hparams['backbone']} is trained on; set "
                f"image_size {window}"
            )

    def how_to_measure(self, original_size: bool, trained_at: tuple[int, int] | None) -> Measuring:
        if not original_size and self.inference != BoxInference():
            raise ConfigError(
                f"{type(self).__name__} is measured on single windows; whole pictures, for which these knobs are, "
                "are measured with --original_size true, so give that, too"
            )
        return Measuring(original_size)

    def shown_size(self, trained_at: tuple[int, int] | None, inference: Any | None = None) -> None:
        return None

    def measure(self, batch: ClassificationBatch | ObjectBatch, split: Split) -> None:
        """Windows as a classifier; at the original size whole pictures against their boxes."""
        if not self.measuring.original_size:
            self.shared_step(cast(ClassificationBatch, batch), split)
            return
        self.check_batch(batch, split)
        sizes = [(height, width) for height, width in batch["original_size"].tolist()]
        found = self.predict_pictures(batch["image"], sizes)
        self.add_unanswered(sum(not one.is_number for one in found))
        label = cast(ClassificationBatch, batch)["label"] if "label" in batch else None
        own = None if label is None else self._label_of[label.cpu()].tolist()
        for index, (one, boxes, size) in enumerate(zip(found, batch["boxes"], sizes, strict=True)):
            if not has_known_objects(len(boxes), None if own is None else own[index]):
                continue
            labels = self._label_of[batch["box_labels"][index].cpu()]
            # The background is no object.
            boxes, labels = boxes[labels >= 0], labels[labels >= 0]
            self.scores_of(split).update(one, boxes, labels, size)

    def scores_of(self, split: Split) -> SplitScores:
        return self.detections if self.measuring.original_size else super().scores_of(split)

    def parts_of(self, split: Split) -> list[Part]:
        # Whole pictures have no loss.
        return [*self.detections.parts] if self.measuring.original_size else super().parts_of(split)

    def counted_names(self) -> tuple[str, ...]:
        return self.labels.names if self.measuring.original_size else super().counted_names()

    def split_values(self, split: Split) -> dict[str, float]:
        values = super().split_values(split)
        if not values and self.measuring.original_size:
            raise DataError("no picture of this split has boxes to compare with; give data that has some")
        return values

    def check_truth(self, batch: Mapping[str, Any], split: Split, size: tuple[int, int]) -> None:
        if self.at_original_size:
            check_boxes(batch, split)
        else:
            super().check_truth(batch, split, size)

    # What slides

    @property
    def grid(self) -> Grid:
        return Grid(self.model.window, self.model.stride)

    def window_probabilities(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 RGB to probabilities ``(B, C, rows, columns)`` of all windows, from one pass."""
        return self.model.window_logits(self.normalize(images)).float().softmax(dim=1)

    def predict_pictures(  # type: ignore[override]
        self, images: Tensor, sizes: Sequence[tuple[int, int]], inference: BoxInference | None = None
    ) -> list[BoxPrediction]:
        """Objects of each picture."""
        how, labels = inference or self.inference, self.labels
        return [how.predict(self, image, labels.of, size) for image, size in zip(images, sizes, strict=True)]

    def make_inference(self, given: Mapping[str, Any]) -> Any:
        return super().make_inference({**given, **({"scales": tuple(given["scales"])} if "scales" in given else {})})


def has_known_objects(num_boxes: int, label: int | None) -> bool:
    """Whether the boxes of a picture are all its objects.

    Args:
        num_boxes: number of known boxes.
        label: the picture's label, in data with one label each. A labelled picture without boxes has an object at an
            unknown place; a picture of the background, -1, has no object. None in data with boxes of all objects.
    """
    return label is None or label < 0 or num_boxes > 0
