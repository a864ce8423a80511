"""The rows of the table: which there are, and what limits one."""

from dataclasses import dataclass, field

WHOLE_SHARE = 0.95
"""From this share of the card's rate on, a training is limited by the card."""


@dataclass
class Row:
    """A line of the table; a cell is a number, or says why there is none."""

    name: str
    system: str
    batch_size: int
    side: int
    compiles: bool = False
    cells: dict[str, float | str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def number(self, cell: str) -> float | None:
        value = self.cells.get(cell)
        return value if isinstance(value, float) else None

    def ratio(self, cell: str, to: str) -> float | None:
        one, other = self.number(cell), self.number(to)
        return None if one is None or not other else one / other


def rows_for(quick: bool, compile_all: bool) -> list[Row]:
    rows = [
        Row("pets", "pets", 64, 128, compiles=True),
        Row("pets", "pets", 256, 128),
        Row("carvana", "carvana", 32, 256),
        Row("flowers", "flowers", 32, 180),
        Row("flowers", "flowers", 256, 180),
        Row("ResNet50", "dogs", 64, 224, compiles=True),
        Row("ResNet50", "dogs", 256, 224),
        Row("VGG16's map", "detector", 1, 448),
        Row("VGG16's map", "detector", 1, 896),
    ]
    for row in rows:
        row.compiles = (row.compiles or compile_all) and row.system != "detector"
        if quick:
            row.batch_size, row.side = max(1, row.batch_size // 32), 64
            # Compiling takes longer than all the rest of it.
            row.compiles = row.compiles and compile_all
        if quick and row.system == "detector":
            row.name, row.side = "MobileNetV2's map", 224 if row is rows[-2] else 288
        row.name = f"{row.name} {row.batch_size}@{row.side}" if row.system != "detector" else f"{row.name} @{row.side}"
    return rows


def limit_of(row: Row) -> str:
    """What would have to be faster."""
    if row.system == "detector":
        return "the card" if row.number("card") else "unknown"
    share, fed = row.ratio("Trainer", "card"), row.ratio("loader", "card")
    if share is None or fed is None:
        return "unknown"
    if share >= WHOLE_SHARE:
        return "the card"
    return "the loader" if fed < 1 / WHOLE_SHARE else "the host, between steps"
