"""Colours of classes and lines, the same in every picture, plot and page of this package; safe for colour-blind people.

Okabe and Ito, "Color Universal Design", 2008, first. Each further colour is the one that lies farthest, in CIELAB, from
all before it and from white, as people with normal vision, deuteranopia and protanopia see them (Machado et al. 2009):
17 apart among the first 20, 10 among 64, 4 among all. Nobody tells 255 classes apart by colour alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lightning_seg.images import Array
from lightning_seg.spelling import NO_OBJECT, is_one_of

if TYPE_CHECKING:
    from matplotlib.patches import Patch

OKABE_ITO = "000000e69f0056b4e9009e73f0e4420072b2d55e00cc79a7"
"""Black, orange, sky blue, bluish green, yellow, blue, vermillion, reddish purple."""
FURTHER = (
    "0000ff000044eeffaa4433001100997766ff66335577bb6677ddaa1133887766336699ffccddffccdd667744442211334433dd3344bb"
    "33221111336655777700668866ddccffffdd33bbccdd7744ffff22ffff770000667744001177dd552233cc11aaccdd99cc666666bb99"
    "ee99442299dddd00330000bb444488ff7788ddcc4499cc66446677221122aaccffeedd888822223388bb002266ccffbb3388557722ff"
    "33229977445511003300999900dddd3300dd88eecc2255ddddeeffffff99bb4400dd55cc4422bb44224488aaffffff55cc22ff221100"
    "115522ee2255ee77222266ddccbb88ddee66663366ddcc0022669922bbbb3344aaffffeeffee33ccbbbb550077441155bb2266bb9988"
    "bb6688bb9955662277bbeebb44bbdd336666dd773399cc55220088441122661122ee88bb000022000055bb3399bbbb22663344ffff88"
    "663333000011666644ffee8899eedd4488ee7700004455bbbb00223300447777333366bb1100aa66aa9944113388333333332277aa66"
    "cc007788448800aa3399ccee552255aa887799cc7722779922111122449955cc994499cc66ffaa0088ccddee5599ff998822cc001155"
    "3377ee222288aadd7788bb44ee1133886688773377aa6655ffbbaaaa88bb2277aa33441177bbffdd22aacc99aa111166ffff66110077"
    "7755222277661122cc8877444488dd8844ccffffcc8833ff4422aabb8855ddbbdd44dd99bb7788441144333399994455ddeeeeffeecc"
    "ffaa55ffddaadd44225599eeff88cc11cccc8811aa229966ffdd777799aa99ffddbbddee881144ddcc888855cc6655ee99ddbb5500ee"
    "66449988bb7799bbee66aaee881111aa4444881155ccdd551133cc3399330000cc5544cc7722bb88aa77ccaaaadd66ffffaa33bbaa55"
    "661166331199ffee77bb55bb8866003322ddff22cc668877dd4499dd8800ee88dd6644ee448866dddd44ee99bbee55dd66ee99cc0033"
    "551100332277ee33ee99cc3366ee66ff88ff888855bbdd2222eeeeddddcc77aa88ffbbbbee8844"
)
COLOURS = np.frombuffer(bytes.fromhex(OKABE_ITO + FURTHER), np.uint8).reshape(-1, 3)
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
LINES = (BLUE, VERMILLION, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of lines and bars: without yellow, which nobody sees on white."""


def background_of(class_names: Sequence[str]) -> int | None:
    """The index of the class that stands for no object, by its name."""
    return next((index for index, name in enumerate(class_names) if is_one_of(name, NO_OBJECT)), None)


def palette_of(class_names: Sequence[str]) -> Array:
    """The colours of these classes, see ``class_palette``."""
    return class_palette(len(class_names), background_of(class_names) or 0)


def class_palette(num_classes: int, background: int = 0) -> Array:
    """``(256, 3)`` uint8: a row per class index, white for the ignore index 255, black between them.

    With more than 255 classes, for which there are no masks, colours repeat, and there are as many rows.

    Args:
        num_classes: how many have a colour.
        background: the class that is black; the first one has the colour that would have been its.
    """
    palette = np.zeros((max(256, num_classes), 3), np.uint8)
    palette[:num_classes] = COLOURS[np.arange(num_classes) % len(COLOURS)]
    palette[[0, background]] = palette[[background, 0]]
    if num_classes < 256:
        palette[255] = 255
    return palette


def object_palette(num_labels: int) -> Array:
    """``(num_labels, 3)`` uint8: colours of boxes, none of which is background, so without its black.

    Examples:
        >>> object_palette(2).tolist()
        [[230, 159, 0], [86, 180, 233]]
    """
    return COLOURS[1 + np.arange(num_labels) % (len(COLOURS) - 1)]


def class_patches(class_names: Sequence[str], background: bool = True) -> "list[Patch]":
    """The entries of a legend, in the order of the classes.

    Args:
        class_names: by class index.
        background: whether the background has an entry, if there is one.
    """
    # Not before it is needed: it takes longer to import than all else that predicts.
    from matplotlib.patches import Patch

    palette, left_out = palette_of(class_names), None if background else background_of(class_names)
    return [
        Patch(color=palette[index] / 255, label=name) for index, name in enumerate(class_names) if index != left_out
    ]
