"""Reading and resizing picture files: one policy for training and inference.

Every file, picture or mask, is turned upright by its own EXIF orientation, as viewers and labelling tools show it;
invalid EXIF is ignored. Heights and widths are those of the upright picture.

A JPEG for a smaller size is decoded at the smallest of its scales 1/8, 1/4, 1/2 and 1 at which it is still large
enough, and resized from there. Masks are always decoded in full.

A file is one picture. A file of several pages or frames is refused, since nobody says which one is meant; the previews
of phones (MPO) and smaller copies in a TIFF do not count.
"""

from lightning_seg.images.arrays import Array, SizedImage, to_array, to_rgb
from lightning_seg.images.headers import Header, read_header
from lightning_seg.images.index_masks import read_index_mask
from lightning_seg.images.orientation import upright
from lightning_seg.images.reading import READING_POLICY, decode_image, read_image, read_image_at, read_upright
from lightning_seg.images.resizing import resize_image, resize_mask
from lightning_seg.images.writing import write_image

__all__ = [
    "READING_POLICY",
    "Array",
    "Header",
    "SizedImage",
    "decode_image",
    "read_header",
    "read_image",
    "read_image_at",
    "read_index_mask",
    "read_upright",
    "resize_image",
    "resize_mask",
    "to_array",
    "to_rgb",
    "upright",
    "write_image",
]
