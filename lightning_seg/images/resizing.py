"""Pictures and masks at another size."""

from collections.abc import Iterable, Sequence

import cv2

from lightning_seg.images.arrays import Array


def resize_image(image: Array, size: tuple[int, int]) -> Array:
    """``(H, W, 3)`` to ``(*size, 3)``; every pixel contributes to the result.

    Averages if both sides shrink by whole numbers. Otherwise sides of more than twice the wanted length are halved by
    averaging pairs, and the rest is linear.

    Examples:
        >>> image = np.array([[[0] * 3, [100] * 3], [[100] * 3, [200] * 3]], np.uint8)
        >>> resize_image(image, (1, 1)).tolist()
        [[[100, 100, 100]]]
    """
    if all(side % want == 0 for side, want in zip(image.shape, size, strict=False)):
        return image if image.shape[:2] == size else _resize(image, size, cv2.INTER_AREA)
    while (smaller := _halved(image.shape[:2], size)) != image.shape[:2]:
        image = _resize(image, smaller, cv2.INTER_LINEAR)
    return image if image.shape[:2] == size else _resize(image, size, cv2.INTER_LINEAR)


def _halved(sides: Iterable[int], wanted: Iterable[int]) -> tuple[int, ...]:
    # Of an odd number half a pixel is kept: rounded down, pixels would be left out.
    return tuple(-(-side // 2) if side > 2 * want else side for side, want in zip(sides, wanted, strict=True))


def resize_mask(mask: Array, size: tuple[int, int]) -> Array:
    """``(H, W)`` to ``size`` by the nearest pixel centre, so that no class is invented.

    Examples:
        >>> resize_mask(np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]], np.uint8), (1, 1)).tolist()
        [[4]]
    """
    return mask if mask.shape == size else _resize(mask, size, cv2.INTER_NEAREST_EXACT)


def _resize(array: Array, size: Sequence[int], interpolation: int) -> Array:
    resized: Array = cv2.resize(array, size[::-1], interpolation=interpolation)
    return resized
