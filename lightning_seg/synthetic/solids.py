"""Solids of flat faces and a camera, so that several views of one object fit together.

In metres; z points up and the ground is z = 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightning_seg.synthetic.scenery import Mask, Points, Shape, Size

Corners: TypeAlias = NDArray[Any]  # (N, 3) float
LAMPS = np.array([0.35, -0.3, 0.9])
"""Direction of the light: towards the camera, to its right, up."""


class Face(NamedTuple):
    """A flat piece of a surface."""

    corners: Corners
    material: str
    outwards: Corners  # (3,) of any length


class Piece(NamedTuple):
    """A face as the camera sees it, and the factor by which light changes its colour."""

    mask: Mask
    material: str
    light: float


def make_face(corners: Corners, material: str, inside: ArrayLike) -> Face:
    """The face whose outside points away from the point ``inside``."""
    normal = np.cross(corners[1] - corners[0], corners[-1] - corners[0])
    away = corners.mean(axis=0) - np.asarray(inside)
    return Face(corners, material, normal if normal @ away > 0 else -normal)


def skin(rings: Sequence[Corners], materials: Sequence[Sequence[str]], lid: Sequence[str]) -> list[Face]:
    """The sides and the top of a convex solid.

    Args:
        rings: outlines (N, 3) from the lowest to the highest: along the right side to the front, along the left back.
        materials: of the N faces between each ring and the next.
        lid: of the N / 2 - 1 strips of the top, which reach from the right side to the left, from rear to front.
    """
    inside = np.concatenate(rings).mean(axis=0)
    faces = []
    for low, high, row in zip(rings[:-1], rings[1:], materials, strict=True):
        for start, material in enumerate(row):
            end = (start + 1) % len(low)
            faces.append(make_face(np.stack([low[start], low[end], high[end], high[start]]), material, inside))
    for start, material in enumerate(lid):
        faces.append(make_face(rings[-1][[start, start + 1, -start - 2, -start - 1]], material, inside))
    return faces


def box(centre: tuple[float, float], sides: ArrayLike, angle: float, material: str) -> list[Face]:
    """A box of (length, width, height) that stands on the ground, turned by ``angle`` degrees."""
    length, width, height = np.asarray(sides).tolist()
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    plan = np.array([(-length, -width), (length, -width), (length, width), (-length, width)]) / 2
    plan = plan @ np.array([[cos, sin], [-sin, cos]]) + centre
    rings = [np.column_stack([plan, np.full(4, z)]) for z in (0.0, height)]
    return skin(rings, [[material] * 4], [material])


def disc(centre: ArrayLike, radius: float, num_points: int = 28) -> Corners:
    """An upright disc like a wheel on an axle along y."""
    turns = np.linspace(0, 2 * math.pi, num_points, endpoint=False)
    circle = np.stack([np.cos(turns), np.zeros_like(turns), np.sin(turns)], axis=1)
    return np.asarray(np.asarray(centre) + radius * circle)


@dataclass(frozen=True)
class Camera:
    """A camera that looks at a point above the origin.

    Args:
        azimuth: its direction in degrees; 0 is the x axis, 90 the y axis.
        distance: to the origin, along the ground.
        height: above the ground.
        aim: height of the point that it looks at.
        focal: focal length in pixels.
        centre: pixel (x, y) of that point.
    """

    azimuth: float
    distance: float
    height: float
    aim: float
    focal: float
    centre: tuple[float, float]

    @property
    def position(self) -> Corners:
        return np.array([*self.around(-self.distance, 0.0), self.height])

    @property
    def axes(self) -> Corners:
        """The directions forward, right and up of the picture, as rows."""
        forward = np.array([0.0, 0.0, self.aim]) - self.position
        right = np.cross(forward, (0.0, 0.0, 1.0))
        rows = np.stack([forward, right, np.cross(right, forward)])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    def around(self, behind: float, right: float) -> tuple[float, float]:
        """(x, y) of a point that many metres behind the origin and to its right, seen from the camera."""
        cos, sin = math.cos(math.radians(self.azimuth)), math.sin(math.radians(self.azimuth))
        return -behind * cos - right * sin, -behind * sin + right * cos

    def project(self, points: Corners) -> Points:
        """Points ``(N, 3)`` in front of the camera to pixels ``(N, 2)``."""
        depth, right, up = self.axes @ (points - self.position).T
        return np.asarray(np.stack([right, -up], axis=1) * (self.focal / depth)[:, None] + self.centre)

    def sees(self, face: Face) -> bool:
        """Whether a face of a convex solid is visible if nothing stands in front of it."""
        return bool(face.outwards @ (self.position - face.corners.mean(axis=0)) > 0)

    def light_on(self, face: Face) -> float:
        forward, right, up = self.axes @ face.outwards / np.linalg.norm(face.outwards)
        towards = float(np.array([-forward, right, up]) @ LAMPS / np.linalg.norm(LAMPS))
        return 0.62 + 0.55 * max(0.0, towards)

    def show(self, faces: Sequence[Face], size: Size) -> list[Piece]:
        """The visible faces of a convex solid."""
        return [
            Piece(Shape(self.project(face.corners)).mask(size), face.material, self.light_on(face))
            for face in faces
            if self.sees(face)
        ]
