"""Pieces of the tab Look as HTML: lists of pictures, tables, the confusion matrix, curves."""

from collections.abc import Sequence

from lightning_seg.app.markup import line, text
from lightning_seg.images import Array
from lightning_seg.pages.embedding import jpeg_address
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import Content
from lightning_seg.report.figures import MOST, curve_quantities, curves_svg
from lightning_seg.report.metrics import spoken
from lightning_seg.report.pixels import PixelConfusion
from lightning_seg.report.records import Table

CHOOSING = """
element.addEventListener('click', event => {
    const chosen = event.target.closest('button[data-index]');
    if (!chosen) return;
    element.querySelectorAll('button[data-index]').forEach(one => one.removeAttribute('aria-current'));
    chosen.setAttribute('aria-current', 'true');
    trigger('select', {index: JSON.parse(chosen.dataset.index)});
});
"""
"""Tells the page which of its buttons was clicked, or pressed with Enter."""


def table(content: Table) -> str:
    """With a patch of colour beside the names of classes."""
    heads = "".join(f'<th scope="col">{text(head)}</th>' for head in content.heads)
    colours = content.colours or ("",) * len(content.rows)
    rows = "".join(_row(row, colour) for row, colour in zip(content.rows, colours, strict=True))
    notes = "".join(f'<p class="note">{text(note)}</p>' for note in content.notes)
    return (
        f'<div class="wide"><table class="plain"><caption>{text(content.title)}</caption>'
        f"<thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{notes}"
    )


def pictures(small: Sequence[tuple[Array, str, str]]) -> str:
    """Small pictures with their names and what is known of them, each a button; they lie in no file."""
    items = "".join(
        f'<li><button type="button" data-index="{number}"><img alt="" src="{jpeg_address(picture)}">'
        f"<span><b>{text(name)}</b> {text(about)}</span></button></li>"
        for number, (picture, name, about) in enumerate(small)
    )
    return f'<ol class="pictures">{items}</ol>' if items else line("There is no such picture.")


def confusion(content: Confusion) -> str:
    """True classes by predicted ones; each number that is not 0 is a button."""
    names = content.class_names
    heads = "".join(f'<th scope="col"><span>{text(name)}</span></th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_cells(names, row, counts)}</tr>'
        for row, (name, counts) in enumerate(zip(names, content.counts, strict=True))
    )
    return (
        '<div class="wide"><table class="plain confusion"><caption>True classes in rows, predicted ones in columns; '
        f"press a number to see its pictures</caption><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def confused_pixels(content: PixelConfusion) -> str:
    """True classes by predicted ones, in percent of the pixels of the true class."""
    names = content.class_names
    heads = "".join(f'<th scope="col"><span>{text(name)}</span></th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_shares(row, counts)}</tr>'
        for row, (name, counts) in enumerate(zip(names, content.counts, strict=True))
    )
    return (
        '<div class="wide"><table class="plain confusion"><caption>Pixels of true classes in rows, predicted ones in '
        f"columns, in percent of the row; {content.right / max(1, content.total):.1%} of {content.total:,} are right"
        f"</caption><thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def curves(content: Content) -> str:
    """Of the usual quantities, one figure each."""
    quantities = curve_quantities(content)[:MOST]
    if not quantities:
        return line("No epoch was logged, so there are no curves.")
    drawn = "".join(_curve(content, quantity) for quantity in quantities)
    return f'<div class="curves">{drawn}</div>'


def _curve(content: Content, quantity: str) -> str:
    label = text(f"Training and validation by epoch: {spoken(quantity)}")
    return f'<figure role="img" aria-label="{label}">{curves_svg(content, quantity)}</figure>'


def _row(cells: Sequence[str], colour: str) -> str:
    patch = f'<span class="patch" style="background:{colour}"></span> ' if colour else ""
    first, *others = cells
    rest = "".join(f"<td>{text(cell)}</td>" for cell in others)
    return f'<tr><th scope="row">{patch}{text(first)}</th>{rest}</tr>'


def _shares(row: int, counts: Sequence[int]) -> str:
    shares = [100 * count / max(1, sum(counts)) for count in counts]
    return "".join(
        f'<td class="{"right" if row == column else "wrong"}" style="--share:{share:.0f}%">{share:.1f}</td>'
        if counts[column]
        else '<td class="none">0</td>'
        for column, share in enumerate(shares)
    )


def _cells(names: Sequence[str], row: int, counts: Sequence[int]) -> str:
    total = sum(counts)
    return "".join(_cell(names, row, column, count, count / max(1, total)) for column, count in enumerate(counts))


def _cell(names: Sequence[str], row: int, column: int, count: int, share: float) -> str:
    if not count:
        return '<td class="none">0</td>'
    kind = "right" if row == column else "wrong"
    pictures = "picture" if count == 1 else "pictures"
    said = f"{count} {pictures} of {names[row]} taken for {names[column]}"
    return (
        f'<td class="{kind}" style="--share:{100 * share:.0f}%"><button type="button" data-index="[{row},{column}]" '
        f'aria-label="{text(said)}">{count}</button></td>'
    )
