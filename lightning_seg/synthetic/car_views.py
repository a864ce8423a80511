"""A car as a camera sees it: its parts in the order of painting, with exact masks, and its paint."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

from lightning_seg.synthetic.cars import Car, cabin, details, hull
from lightning_seg.synthetic.scenery import (
    Canvas,
    Colour,
    Mask,
    Shape,
    Size,
    blend,
    cast_shadow,
    ellipse,
    paint,
    ramp,
    smooth_noise,
    tint,
)
from lightning_seg.synthetic.solids import Camera, Corners, Face, Piece, disc

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
SIDES = (-1, 1)


def union(pieces: Sequence[Piece]) -> Mask:
    return np.asarray(np.logical_or.reduce([piece.mask for piece in pieces]))


def show_car(car: Car, camera: Camera, size: Size) -> list[Piece]:
    """All pieces of a car; later ones lie in front of earlier ones. Their union is the car's mask."""
    wheels = [(x, side) for x in car.axles for side in SIDES]
    tyres = [show_tyre(car, x, side, camera, size) for x, side in wheels]
    lower = camera.show([*hull(car), *details(car)], size)
    silhouette = union(lower)
    outsides = [piece for x, side in wheels for piece in show_wheel(car, x, side, camera, silhouette)]
    far, near = show_mirrors(car, camera, size)
    return [*tyres, *lower, *outsides, far, *camera.show(cabin(car), size), *show_rails(car, camera, size), near]


def show_tyre(car: Car, x: float, side: int, camera: Camera, size: Size) -> Piece:
    rings = [disc((x, side * (car.half_width - depth), car.wheel_radius), car.wheel_radius) for depth in (0.03, 0.26)]
    outline = cv2.convexHull(camera.project(np.concatenate(rings)).astype(np.float32))
    return Piece(Shape(outline[:, 0]).mask(size), "tyre", 0.7)


def show_wheel(car: Car, x: float, side: int, camera: Camera, silhouette: Mask) -> list[Piece]:
    """The outside of a wheel, and the dark arch above it in the lower body's ``silhouette``."""
    centre, radius = np.array([x, side * (car.half_width - 0.02), car.wheel_radius]), car.wheel_radius
    if not camera.sees(Face(centre[None], "tyre", np.array([0.0, side, 0.0]))):
        return []

    def piece(corners: Corners, material: str, light: float = 0.9) -> Piece:
        return Piece(Shape(camera.project(corners)).mask(silhouette.shape), material, light)

    arch = piece(disc(centre, radius * 1.16), "tyre", 0.6)
    arch = arch._replace(mask=arch.mask & silhouette)
    gaps = [piece(centre + radius * gap, "gap") for gap in spoke_gaps(car.num_spokes)]
    return [arch, piece(disc(centre, radius), "tyre"), piece(disc(centre, 0.7 * radius), "rim"), *gaps]


def spoke_gaps(num_spokes: int) -> list[Corners]:
    """Triangles between the spokes of a wheel of radius 1."""
    middles = np.arange(num_spokes) * 2 * math.pi / num_spokes
    half, reach = 0.6 * math.pi / num_spokes, np.array([0.62, 0.62, 0.2])
    turns = [np.array([middle - half, middle + half, middle]) for middle in middles]
    return [np.stack([reach * np.cos(turn), 0 * turn, reach * np.sin(turn)], axis=1) for turn in turns]


def show_mirrors(car: Car, camera: Camera, size: Size) -> tuple[Piece, Piece]:
    """The farther and the nearer side mirror."""
    x = car.along(car.body.cowl) - 0.3
    places = np.array([(x, side * (car.half_width + 0.06), car.belt + 0.08) for side in SIDES])
    distances = np.linalg.norm(places - camera.position, axis=1)
    pieces = []
    for index in np.argsort(-distances):
        scale = camera.focal / distances[index]
        shape = ellipse(camera.project(places[index : index + 1])[0], (0.11 * scale, 0.085 * scale))
        pieces.append(Piece(shape.mask(size), "paint", 0.85))
    return pieces[0], pieces[1]


def show_rails(car: Car, camera: Camera, size: Size) -> list[Piece]:
    if not car.has_rails:
        return []
    rear, front = car.body.roof
    x = np.linspace(car.along(rear), car.along(front), 60)
    y, z = (0.9 - car.rounding) * car.half_width, car.body.height + 0.05
    radii = np.full(60, 0.028 * camera.focal / camera.distance)
    lines = [np.column_stack([x, np.full(60, side * y), np.full(60, z)]) for side in SIDES]
    return [Piece(Shape(camera.project(line), radii).mask(size), "trim", 0.95) for line in lines]


def paint_car(generator: Generator, image: Canvas, car: Car, pieces: Sequence[Piece], wall: Colour) -> None:
    """Paints a car over ``image``, in place; clearer windows show more of the wall behind."""
    size = image.shape[0], image.shape[1]
    gloss = smooth_noise(generator, size, size[1] / 6, octaves=2)
    pane = 0.6 * gloss + 0.4 * ramp(size, 270)
    layers: dict[str, Canvas | Colour] = {
        "paint": tint(gloss, blend(car.colour, BLACK, 0.45), blend(car.colour, WHITE, 0.22)),
        "glass": tint(pane, (18, 20, 24), blend(wall, BLACK, car.tint)),
        "trim": (52, 53, 56),
        "tyre": (38, 38, 40),
        "gap": (30, 30, 32),
        "bed": (48, 48, 50),
        "rim": car.rim,
        "lamp": (214, 218, 222),
        "tail": (150, 22, 26),
        "plate": (214, 224, 236),
    }
    for piece in pieces:
        paint(image, piece.mask, np.multiply(layers[piece.material], piece.light))


def ground_car(image: Canvas, car: Car, camera: Camera, mask: Mask, shadow: float) -> None:
    """Draws a car's shadow and a faint reflection on the floor, in place."""
    x, y = car.body.length / 2, car.half_width
    footprint = Shape(camera.project(np.array([(x, y, 0), (x, -y, 0), (-x, -y, 0), (-x, y, 0)])))
    cast_shadow(image, footprint.mask(mask.shape), (0.0, image.shape[0] / 60), shadow)
    row = round(float(camera.project(np.zeros((1, 3)))[0, 1]))
    height = max(0, min(row, len(mask) - row))
    mirrored = np.zeros(mask.shape, np.float32)
    mirrored[row : row + height] = mask[row - height : row][::-1]
    share = 0.16 * cv2.GaussianBlur(mirrored, (0, 0), image.shape[0] / 80)[..., None]
    image += share * (np.array(car.colour, np.float32) - image)
