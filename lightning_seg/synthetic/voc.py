"""Writing annotation files in the format of Pascal VOC, which other datasets use too."""

from pathlib import Path
from xml.etree import ElementTree


def write_voc(
    path: Path, folder: str, filename: str, size: tuple[int, int], name: str, box: tuple[int, int, int, int]
) -> None:
    """One object in one picture.

    Args:
        path: file to write.
        folder: name of the folder, for the file's content.
        filename: name of the picture, for the file's content.
        size: (height, width) of the picture.
        name: of the object.
        box: x1, y1, x2, y2 as in slices; ``xmax`` and ``ymax`` are the first column and row after the object.
    """
    annotation = ElementTree.Element("annotation")
    ElementTree.SubElement(annotation, "folder").text = folder
    ElementTree.SubElement(annotation, "filename").text = filename
    _add_numbers(annotation, "size", {"width": size[1], "height": size[0], "depth": 3})
    described = ElementTree.SubElement(annotation, "object")
    ElementTree.SubElement(described, "name").text = name
    _add_numbers(described, "bndbox", dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)))
    ElementTree.ElementTree(annotation).write(path)


def _add_numbers(parent: ElementTree.Element, tag: str, numbers: dict[str, int]) -> None:
    child = ElementTree.SubElement(parent, tag)
    for name, number in numbers.items():
        ElementTree.SubElement(child, name).text = str(number)
