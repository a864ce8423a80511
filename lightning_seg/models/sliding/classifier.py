"""A classifier that slides over its own feature map: one pass of the convolutions for the logits of all windows."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.errors import ConfigError, ModelError

WINDOWS_AT_ONCE = 512
OUTPUTS_AT_ONCE = 512


class WindowHead(nn.Module, ABC):
    """Turns a window of ``cells x cells`` feature cells into logits."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """One window ``(B, C, cells, cells)`` to logits ``(B, num_classes)``."""

    @abstractmethod
    def window_logits(self, features: Tensor) -> Tensor:
        """All windows of a map ``(B, C, h, w)`` to logits ``(B, num_classes, h - cells + 1, w - cells + 1)``."""


class PooledHead(WindowHead):
    """A head that averages the window and goes on with vectors; ``forward`` also takes a single cell."""

    def window_logits(self, features: Tensor) -> Tensor:
        means = F.avg_pool2d(features, self.cells, stride=1)
        batch, channels, rows, columns = means.shape
        logits: Tensor = self(means.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1))
        return _as_map(logits, batch, rows, columns)


class FlattenedHead(WindowHead):
    """A head that flattens the window; for all windows, its first layer is a convolution.

    Args:
        classifier: a linear layer on ``C * cells * cells`` numbers, channels first, and the layers after it.
        cells: side of the window.
    """

    def __init__(self, classifier: nn.Sequential, cells: int) -> None:
        super().__init__(cells)
        self.classifier = classifier

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(features.flatten(1))
        return logits

    def window_logits(self, features: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            return self._as_convolution(features)
        rows, columns = (side - self.cells + 1 for side in features.shape[-2:])
        # Copied out of the map, a window of VGG16 takes 98 KiB.
        step = max(1, WINDOWS_AT_ONCE // (len(features) * columns))
        bands = (features[:, :, top : top + step + self.cells - 1] for top in range(0, rows, step))
        return torch.cat([self._band_logits(band) for band in bands], dim=2)

    def _as_convolution(self, features: Tensor) -> Tensor:
        """The same in one step, whatever the size of the map; slower here, and what an exported file can hold."""
        first, *others = self.classifier
        assert isinstance(first, nn.Linear)
        kernels = first.weight.view(first.out_features, -1, self.cells, self.cells)
        hidden = F.conv2d(features, kernels, first.bias)
        batch, _, rows, columns = hidden.shape
        logits: Tensor = nn.Sequential(*others)(hidden.permute(0, 2, 3, 1).flatten(0, 2))
        return _as_map(logits, batch, rows, columns)

    def _band_logits(self, features: Tensor) -> Tensor:
        windows = features.unfold(2, self.cells, 1).unfold(3, self.cells, 1)
        batch, _, rows, columns = windows.shape[:4]
        vectors = windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(0, 2)
        logits: Tensor = self.classifier[1:](self._first_layer(vectors))
        return _as_map(logits, batch, rows, columns)

    def _first_layer(self, vectors: Tensor) -> Tensor:
        first = self.classifier[0]
        assert isinstance(first, nn.Linear)
        # One product for all windows reads VGG16's 103 million weights once, and none of them is moved first, as a
        # convolution does. On a CPU some parts after each other are faster than the whole.
        weights, biases = (torch.split(values, OUTPUTS_AT_ONCE) for values in (first.weight, first.bias))
        return torch.cat([F.linear(vectors, *pair) for pair in zip(weights, biases, strict=True)], dim=1)


class SlidingClassifier(nn.Module):
    """Images ``(B, 3, H, W)``, already normalised, to the logits of one window or of all.

    ``encoder`` are the convolutions, with features ``(B, C, H / stride, W / stride)``; ``head`` is the rest. Both ways
    of applying them use the same parameters.

    Args:
        encoder: pictures to the feature map, one cell per ``stride`` pixels.
        head: a window of the map to logits.
        stride: pixels from one window to the next.
    """

    def __init__(self, encoder: nn.Module, head: WindowHead, stride: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.stride = stride

    @property
    def cells(self) -> int:
        """Side of a window in cells of the feature map."""
        return self.head.cells

    @property
    def window(self) -> int:
        """Side of a window in pixels."""
        return self.cells * self.stride

    def forward(self, images: Tensor) -> Tensor:
        """The classifier: ``(B, 3, window, window)`` to ``(B, num_classes)``.

        Raises:
            ModelError: if the pictures have another size.
        """
        height, width = images.shape[-2:]
        if (height, width) != (self.window, self.window):
            raise ModelError(
                f"pictures of {height} x {width} pixels do not fit this classifier of windows of {self.window} x "
                f"{self.window}; resize them"
            )
        logits: Tensor = self.head(self.encoder(images))
        return logits

    def window_logits(self, images: Tensor) -> Tensor:
        """All windows of larger pictures: ``(B, 3, H, W)`` to ``(B, num_classes, rows, columns)``.

        There are ``(H - window) / stride + 1`` rows and likewise columns; the window of row r and column c has its
        upper left corner at pixel ``(c * stride, r * stride)``. The features of a window also see its surroundings, so
        its logits differ from those of the cut out window.

        Raises:
            ModelError: if a side is smaller than the window or no multiple of the stride.
        """
        height, width = images.shape[-2:]
        if min(height, width) < self.window or height % self.stride or width % self.stride:
            raise ModelError(
                f"pictures of {height} x {width} pixels do not fit windows of {self.window}: both sides must be "
                f"{self.window} or more and multiples of {self.stride}; resize or pad them"
            )
        return self.head.window_logits(self.encoder(images))


def check_window(backbone: str, window: int, stride: int) -> None:
    """Raises ConfigError if the window is no multiple of the stride."""
    if window < stride or window % stride:
        below = max(1, window // stride) * stride
        raise ConfigError(
            f"window {window} does not go with {backbone}, whose feature map has a cell per {stride} pixels; "
            f"set window {below} or {below + stride}"
        )


def _as_map(logits: Tensor, batch: int, rows: int, columns: int) -> Tensor:
    return logits.reshape(batch, rows, columns, -1).permute(0, 3, 1, 2)
