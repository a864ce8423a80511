"""What a card says of each kind of prediction."""

from typing import NamedTuple

from lightning_seg.batch import BoxPrediction, LabelPrediction, MaskPrediction


class Kind(NamedTuple):
    """Words for networks of one kind."""

    pipeline: str  # the hub's name of what they do
    does: str
    answer: str  # attributes of what ``Predictor`` returns
    limits: tuple[str, ...]


KINDS: dict[type, Kind] = {
    MaskPrediction: Kind(
        "image-segmentation",
        "gives every pixel of a picture one of its classes",
        "answer.mask, answer.confidence, answer.class_names",
        (
            "Every pixel gets one of the classes above, also in pictures that show none of them.",
            "Things much smaller than a pixel of the training size are not seen; contours are as fine as that size.",
        ),
    ),
    LabelPrediction: Kind(
        "image-classification",
        "gives a picture one of its classes",
        "answer.label, answer.confidence, answer.top(3)",
        ("Every picture gets one of the classes above, also one that shows none of them or several.",),
    ),
    BoxPrediction: Kind(
        "object-detection",
        "finds objects in pictures by a classifier that slides over them",
        "answer.boxes, answer.labels, answer.scores",
        (
            "Boxes are as exact as the windows and scales that were asked for; objects that touch may be one box.",
            "Only objects of the classes above are found.",
        ),
    ),
}


def kind_of(task: type | None) -> Kind | None:
    """By what the class of a task predicts; None if nobody knows."""
    return KINDS.get(getattr(task, "prediction", object))
