"""Invented cars of six kinds, put together from solids.

In metres: x to the front of the car, y to its left, z up, the origin on the ground below its middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from lightning_seg.synthetic.scenery import Colour, vary
from lightning_seg.synthetic.solids import Corners, Face, make_face, skin


@dataclass(frozen=True)
class Body:
    """A kind of car. Places along it are shares of its length, from the rear; heights are metres."""

    name: str
    length: float
    height: float
    deck: float  # where the rear window ends
    roof: tuple[float, float]  # its rear and its front end
    cowl: float  # where the windscreen meets the bonnet
    panes: tuple[tuple[float, float], ...]  # side windows, as shares of the cabin's length
    clearance: float = 0.2
    belt: float = 0.62  # lower edge of the windows, as a share of the height


BODIES = (
    Body("saloon", 4.75, 1.46, 0.15, (0.27, 0.52), 0.70, ((0.14, 0.48), (0.52, 0.88))),
    Body("off-roader", 4.6, 1.78, 0.02, (0.09, 0.60), 0.74, ((0.06, 0.25), (0.29, 0.57), (0.61, 0.9)), 0.32),
    Body("hatchback", 4.0, 1.48, 0.03, (0.14, 0.56), 0.75, ((0.12, 0.46), (0.5, 0.88))),
    Body("pickup", 5.2, 1.78, 0.36, (0.40, 0.58), 0.70, ((0.12, 0.88),), 0.34),
    Body("van", 4.7, 1.95, 0.01, (0.03, 0.72), 0.87, ((0.05, 0.3), (0.34, 0.62), (0.66, 0.88)), 0.22, 0.54),
    Body("coupe", 4.4, 1.32, 0.10, (0.32, 0.46), 0.66, ((0.3, 0.86),), 0.16, 0.66),
)
# Outline of the lower body from above: shares of its length, and of half its width there.
HULL_PLACES = (0.0, 0.02, 0.07, 0.22, 0.4, 0.6, 0.78, 0.93, 0.98, 1.0)
HULL_WIDTHS = (0.72, 0.88, 0.97, 1.0, 1.0, 1.0, 1.0, 0.97, 0.86, 0.66)
# Shares of its height, and of half its width there.
HULL_LEVELS = ((0.0, 0.94), (0.3, 1.0), (0.55, 1.0), (0.82, 0.97), (1.0, 0.88))


@dataclass(frozen=True)
class Car:
    """Properties shared by all views of a car; lengths in metres."""

    body: Body
    colour: Colour
    half_width: float
    wheel_radius: float
    axles: tuple[float, float]
    nose: float  # height of the bonnet's front edge
    boot: float  # height of the rear edge
    rounding: float  # how much narrower the roof is than the rest, as a share
    rim: Colour
    num_spokes: int
    tint: float  # of the windows: 0 is clear, 1 is black
    has_rails: bool
    has_cladding: bool

    @property
    def belt(self) -> float:
        return self.body.belt * self.body.height

    def along(self, share: float) -> float:
        """x of a place along the car."""
        return self.body.length * (share - 0.5)

    def top(self, share: float) -> float:
        """Height of the lower body at a place along the car."""
        places = (0.0, max(self.body.deck, 0.03), self.body.cowl, 1.0)
        return float(np.interp(share, places, (self.boot, self.belt, self.belt, self.nose)))


def design_car(generator: Generator, body: Body, colour: Colour) -> Car:
    """A car of a kind and roughly a colour, with dimensions of its own."""
    length, height = body.length * generator.uniform(0.93, 1.07), body.height * generator.uniform(0.95, 1.06)
    belt, cowl = body.belt + generator.uniform(-0.03, 0.03), body.cowl + generator.uniform(-0.02, 0.02)
    is_high = body.height > 1.6
    return Car(
        body=replace(body, length=length, height=height, belt=belt, cowl=cowl),
        colour=vary(generator, colour, 0.06),
        half_width=generator.uniform(0.86, 0.93) + 0.05 * is_high,
        wheel_radius=generator.uniform(0.3, 0.34) + 0.05 * is_high,
        axles=(-length * generator.uniform(0.27, 0.32), length * generator.uniform(0.28, 0.33)),
        nose=height * belt * generator.uniform(0.74, 0.92),
        boot=height * belt * generator.uniform(0.88, 1.0),
        rounding=generator.uniform(0.15, 0.3),
        rim=vary(generator, (190, 192, 196) if generator.random() < 0.7 else (70, 70, 74), 0.15),
        num_spokes=int(generator.integers(5, 11)),
        tint=generator.uniform(0.3, 0.95),
        has_rails=bool(is_high and body.name != "pickup" and generator.random() < 0.7),
        has_cladding=bool(generator.random() < 0.35),
    )


def plan(places: Sequence[float], widths: Sequence[float]) -> Corners:
    """Points (place, share of half the width) of an outline, in the order that ``skin`` expects."""
    right = np.column_stack([places, np.negative(widths)])
    return np.concatenate([right, right[::-1] * (1, -1)])


def hull(car: Car) -> list[Face]:
    """Everything below the windows."""
    outline = plan(HULL_PLACES, HULL_WIDTHS)
    tops = np.array([car.top(place) for place in outline[:, 0]])
    rings = []
    for level, width in HULL_LEVELS:
        x = car.body.length * (outline[:, 0] - 0.5) * (0.96 + 0.04 * width)
        heights = car.body.clearance + level * (tops - car.body.clearance)
        rings.append(np.column_stack([x, outline[:, 1] * width * car.half_width, heights]))
    num_strips = len(HULL_PLACES) - 1
    plain = ["paint"] * len(outline)
    sills = ["trim" if car.has_cladding else "paint"] * len(outline)
    side = ["tail", "tail", *["paint"] * (num_strips - 4), "lamp", "lamp"]
    lights = [*side, "trim", *side[::-1], "paint"]
    return skin(rings, [sills, plain, lights, plain], ["paint"] * num_strips)


def cabin(car: Car) -> list[Face]:
    """Windows and roof."""
    edges = [edge for pane in car.body.panes for edge in pane]
    outline = plan([0.0, 0.03, *edges, 0.97, 1.0], [0.8, 0.95, *[1.0] * len(edges), 0.95, 0.8])
    rings = []
    for level, width in ((0.0, 0.94), (0.14, 0.92), (0.84, 1.02 - car.rounding), (1.0, 0.9 - car.rounding)):
        rear = car.along(car.body.deck + level * (car.body.roof[0] - car.body.deck))
        front = car.along(car.body.cowl + level * (car.body.roof[1] - car.body.cowl))
        x = rear + outline[:, 0] * (front - rear)
        heights = np.full(len(outline), car.belt + level * (car.body.height - car.belt))
        rings.append(np.column_stack([x, outline[:, 1] * width * car.half_width, heights]))
    pillars = ["paint", "glass"] * len(car.body.panes)
    side = ["paint", *pillars, "paint", "paint"]
    windows = [*side, "glass", *side[::-1], "glass"]
    plain = ["paint"] * len(outline)
    return skin(rings, [plain, windows, plain], ["paint"] * len(side))


def details(car: Car) -> list[Face]:
    """Details on the lower body: number plates and a pickup's bed."""
    low = 0.25 * car.belt + 0.3
    faces = [_plate(car, car.along(share) * 0.995, low) for share in (0.0, 1.0)]
    if car.body.name == "pickup":
        front = car.body.deck - 0.01
        places = ((0.04, -1), (front, -1), (front, 1), (0.04, 1))
        bed = [(car.along(place), side * 0.78 * car.half_width, car.top(place)) for place, side in places]
        faces.append(make_face(np.array(bed), "bed", (0.0, 0.0, 0.0)))
    return faces


def _plate(car: Car, x: float, low: float) -> Face:
    corners = [(x, -0.27, low), (x, 0.27, low), (x, 0.27, low + 0.14), (x, -0.27, low + 0.14)]
    return make_face(np.array(corners), "plate", (0.0, 0.0, low))
