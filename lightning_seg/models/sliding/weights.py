"""Weights of sliding classifiers: VGG16's from a seed, and weights of another number of classes."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from lightning_seg.errors import WeightsError
from lightning_seg.models.weights import fill

DRAWN = "numpy:"
# torchvision's positions in ``features`` and ``classifier``, with inputs and outputs.
CONVOLUTIONS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    17: (256, 512),
    19: (512, 512),
    21: (512, 512),
    24: (512, 512),
    26: (512, 512),
    28: (512, 512),
}
LINEAR = {0: (25088, 4096), 3: (4096, 4096), 6: (4096, 1000)}


def numpy_vgg16_state(seed: int) -> dict[str, Tensor]:
    """A state dict of torchvision's ``vgg16`` with 1000 classes, drawn from ``rng = numpy.random.default_rng(seed)``.

    One generator draws the 13 convolutions and then the three linear layers, in the order of the network; of each layer
    first the weight, then the bias, in float32::

        weight = rng.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(2 / fan_in))
        bias = rng.standard_normal(outputs, dtype=np.float32) * np.float32(0.01)

    A convolution's ``shape`` is (out, in, 3, 3), rows of the kernel before columns, and its ``fan_in`` 9 * in; a linear
    layer's are (out, in) and in. Keras takes a convolution as ``weight.transpose(2, 3, 1, 0)`` and a linear layer as
    ``weight.T``, but the first linear layer, which reads (512, 7, 7) here and (7, 7, 512) there, as
    ``weight.reshape(4096, 512, 7, 7).transpose(2, 3, 1, 0).reshape(25088, 4096)``.
    """
    rng = np.random.default_rng(seed)
    state: dict[str, Tensor] = {}
    for name, shape in _layers():
        weight = rng.standard_normal(shape, dtype=np.float32)
        # In place: the largest takes 392 MiB.
        weight *= np.float32(math.sqrt(2 / math.prod(shape[1:])))
        bias = rng.standard_normal(shape[0], dtype=np.float32)
        bias *= np.float32(0.01)
        state |= {f"{name}.weight": torch.from_numpy(weight), f"{name}.bias": torch.from_numpy(bias)}
    return state


def drawn_seed(backbone: str, weights: str) -> int:
    """7 from ``numpy:7``.

    Raises:
        WeightsError: if it is not for this backbone, or is followed by no whole number.
    """
    seed = weights.removeprefix(DRAWN)
    if backbone != "vgg16":
        raise WeightsError(f"weights {weights!r} are for vgg16, not for {backbone}; give imagenet, a file or null")
    if not (seed.isascii() and seed.isdigit()):
        raise WeightsError(f"weights {weights!r}: a seed of 0 or more must follow {DRAWN}, for instance {DRAWN}0")
    return int(seed)


def fill_but_other_classes(
    network: nn.Module, last: nn.Module, state: Mapping[str, Tensor], weights: str, library: str
) -> None:
    """``fill``, but the last layer keeps its values if the state lacks it or has another number of classes.

    Args:
        network: to fill.
        last: its last layer.
        state: names to tensors.
        weights: where they come from, for errors.
        library: whose layout is needed, for errors.

    Raises:
        WeightsError: if another entry is missing or has another shape.
    """
    prefix = next(name for name, module in network.named_modules() if module is last)
    own = {f"{prefix}.{name}": values for name, values in last.state_dict().items()}
    if any(name not in state or len(state[name]) != len(values) for name, values in own.items()):
        state = {**state, **own}
    fill(network, state, weights, library)


def _layers() -> Iterator[tuple[str, tuple[int, ...]]]:
    for position, (inputs, outputs) in CONVOLUTIONS.items():
        yield f"features.{position}", (outputs, inputs, 3, 3)
    for position, (inputs, outputs) in LINEAR.items():
        yield f"classifier.{position}", (outputs, inputs)
