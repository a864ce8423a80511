"""What measured quantities are called on axes and in tables, and their units."""

WORDS = {"iou": "IoU", "miou": "mean IoU", "mdice": "mean Dice", "dice": "Dice", "map": "mAP", "f1": "F1", "ece": "ECE"}
UNITS = {"cross_entropy": "nats", "focal_loss": "nats"}
"""Logarithms of probabilities are natural ones."""
SHARES = ("accuracy", "precision", "recall", "iou", "miou", "dice", "mdice", "f1", "ece", "map")
"""Ends of quantities between 0 and 1."""


def spoken(quantity: str) -> str:
    """``boundary_iou`` as ``boundary IoU``."""
    return " ".join(WORDS.get(word, word) for word in quantity.replace("/", ": ").replace("_", " ").split(" "))


def axis_label(quantity: str, loss_is: str | None = None) -> str:
    """A quantity with its unit, such as ``loss (nats)``; between 0 and 1 are shares.

    Args:
        quantity: as in the names of metrics, without the split.
        loss_is: the parts of the loss, ``cross_entropy + 0.5 dice_loss``; None where nobody knows.
    """
    if quantity == "loss" and loss_is:
        return f"loss ({UNITS[loss_is]})" if loss_is in UNITS else f"loss: {_parts(loss_is)}"
    if quantity in UNITS:
        return f"{spoken(quantity)} ({UNITS[quantity]})"
    return f"{spoken(quantity)} (0 to 1)" if quantity.rpartition("_")[2] in SHARES else spoken(quantity)


def _parts(loss_is: str) -> str:
    words = [f"{spoken(word)} ({UNITS[word]})" if word in UNITS else spoken(word) for word in loss_is.split(" ")]
    return " ".join(words)
