"""The tutorial's small convolutional classifier."""

from collections.abc import Sequence

from torch import Tensor, nn

from lightning_seg.errors import ModelError


class CNNClassifier(nn.Module):
    """Images ``(B, 3, H, W)``, already normalised, to logits ``(B, num_classes)``.

    ``encoder``: for each number of channels a 3x3 convolution, 2x2 max pooling and ReLU; ``head``: a hidden layer and
    the logits. 3,989,285 parameters with the defaults. Weights start Glorot uniform and biases at zero, as in Keras.

    Args:
        num_classes: number of logits.
        image_size: side, or (height, width), of its pictures.
        dropout: share of the encoder's features that is dropped in training.
        channels: of the convolutions.
        hidden: width of the hidden layer.

    Raises:
        ModelError: if the pictures are too small to be halved that often, or ``dropout`` is not in [0, 1); when called,
            if a picture has another size.
    """

    def __init__(
        self,
        num_classes: int = 5,
        image_size: int | Sequence[int] = 180,
        dropout: float = 0.0,
        channels: Sequence[int] = (16, 32, 64),
        hidden: int = 128,
    ) -> None:
        super().__init__()
        height, width = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        least = 2 ** len(channels)
        if min(height, width) < least:
            raise ModelError(f"image_size {height} x {width} is too small; both sides must be {least} or more")
        if not 0 <= dropout < 1:
            raise ModelError(f"dropout {dropout} must be at least 0 and below 1, for instance 0.2")
        self.image_size = (height, width)
        blocks = [_block(*pair) for pair in zip((3, *channels), channels, strict=False)]
        self.encoder = nn.Sequential(*(layer for block in blocks for layer in block))
        self.dropout = nn.Dropout(dropout)
        features = channels[-1] * (height // least) * (width // least)
        self.head = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
        self.apply(_initialize)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if (height, width) != self.image_size:
            raise ModelError(
                f"pictures of {height} x {width} pixels do not fit this CNNClassifier, which is for "
                f"{self.image_size[0]} x {self.image_size[1]}; resize them, or build it with image_size [{height}, "
                f"{width}]"
            )
        logits: Tensor = self.head(self.dropout(self.encoder(images)).flatten(1))
        return logits


def _block(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    # Cutting off at zero behind the pooling gives the same numbers and gradients, for a quarter of the work.
    return nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(inplace=True)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
