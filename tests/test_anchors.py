"""Links to a part of a page lead to a heading that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Of all headings, as GitHub makes them: small letters, ``-`` for blanks, no other signs."""
    headings = re.findall(r"^#+ (.+)$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def links_to_parts(text: str) -> list[tuple[str, str]]:
    """File, empty for the same page, and anchor of each link with a ``#`` to a page of this repository."""
    targets = re.findall(r"\]\(([^)\s#]*)#([^)\s]+)\)", prose(text))
    return [(file, anchor) for file, anchor in targets if not re.match(r"[a-z]+:", file)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_a_part_of_a_page_find_its_heading(page: Path) -> None:
    text = page.read_text()
    targets = {(page.parent / file if file else page, anchor) for file, anchor in links_to_parts(text)}
    assert [(file.name, anchor) for file, anchor in targets if anchor not in anchors(file.read_text())] == []


def test_anchors_are_those_of_a_reader() -> None:
    text = "# CutMix, and `Mixup`\n```\n# no heading\n```\n## What is 1/2?\n"
    assert anchors(text) == {"cutmix-and-mixup", "what-is-12"}
    assert links_to_parts("[a](b.md#c) [d](#e) [f](https://g.org#h) [i](j.md)\n```\n[k](l.md#m)\n```\n") == [
        ("b.md", "c"),
        ("", "e"),
    ]
