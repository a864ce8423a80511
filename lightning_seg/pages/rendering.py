"""Templates of pages: those of a room, which extend ``page.html`` and use ``parts.html`` of this one."""

from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader

import lightning_seg
from lightning_seg.files import printable
from lightning_seg.pages.marking import pieces


class Chart(NamedTuple):
    """A drawing of a page."""

    caption: str
    svg: str


def render_page(package: str, template: str, **values: Any) -> str:
    """The page of a template; whatever texts hold is shown as text.

    Args:
        package: with a folder ``templates``.
        template: of that folder.
        values: for the template, beside ``version`` and ``pieces``.
    """
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("lightning_seg.pages")])
    environment = Environment(loader=loader, autoescape=True)
    environment.finalize = _finalized
    environment.globals.update(version=lightning_seg.__version__, pieces=pieces)
    return environment.get_template(template).render(**values)


def _finalized(value: Any) -> Any:
    """Names of files may hold control characters and bytes that are no UTF-8."""
    return printable(value) if type(value) is str else value
