"""Names of ImageNet's classes in the published order: https://www.image-net.org/challenges/LSVRC/2012."""

from torchvision.models import VGG16_Weights

IMAGENET_CLASSES: tuple[str, ...] = tuple(VGG16_Weights.IMAGENET1K_V1.meta["categories"])
"""The 1,000 names by index, as torchvision words them; two pairs have the same name."""
