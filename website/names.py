"""Names of public classes in the text of a page lead to the reference."""

import re
from collections.abc import Mapping

KEPT = r"<(?P<tag>a|autoref|h[1-6]|pre)\b.*?</(?P=tag)>"
"""What is linked already, is a heading, or is code."""
NAME = re.compile(rf"{KEPT}|<code>(?P<name>\w+)</code>", re.DOTALL)


def with_links(html: str, paths: Mapping[str, str]) -> str:
    """The page with a reference around every name that is code by itself.

    Args:
        html: of a page.
        paths: of names, as ``lightning_seg.UNetTask`` is of ``UNetTask``.
    """
    return NAME.sub(lambda found: _linked(found, paths), html)


def _linked(found: re.Match[str], paths: Mapping[str, str]) -> str:
    path = paths.get(found["name"] or "")
    # The plugin autorefs finds the page of the path.
    return found[0] if path is None else f'<autoref identifier="{path}">{found[0]}</autoref>'
