"""All kinds of findings, and the page about them.

``python -m lightning_seg.doctor.catalogue > docs/data_problems.md`` writes it.
"""

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import walk_packages

import lightning_seg.doctor
from lightning_seg.doctor.findings import SEVERITIES, Kind
from lightning_seg.pages.marking import pieces

HEAD = """# Data problems

What may be wrong with a dataset or a training, how `lightning-seg doctor` calls it, and what to do: see
[doctor.md](doctor.md). An **error** would end or spoil a training, and the exit code is then 1. A **warning** costs
some of the result. A **note** is good to know.

This page is made of the findings' own texts: `python -m lightning_seg.doctor.catalogue > docs/data_problems.md`.
"""
COLUMNS = ("what you see", "finding", "what follows", "what to do")


def all_kinds() -> Iterator[tuple[str, Sequence[Kind]]]:
    """The kinds of every module of this room that has some, with what the module is about."""
    room = lightning_seg.doctor
    for entry in walk_packages(room.__path__, f"{room.__name__}."):
        module = import_module(entry.name)
        if kinds := getattr(module, "KINDS", ()):
            yield _title(module.__doc__ or entry.name), kinds


def page() -> str:
    """The page in Markdown."""
    sections = list(all_kinds())
    contents = "\n".join(f"* [{title}](#{_anchor(title)})" for title, _ in sections)
    return "\n\n".join([HEAD + "\n" + contents, *(_section(title, kinds) for title, kinds in sections)]) + "\n"


def _title(docstring: str) -> str:
    about = re.split("[.:;]", docstring, maxsplit=1)[0].removeprefix("Findings about ")
    return about[:1].upper() + about[1:]


def _anchor(title: str) -> str:
    return "".join(one for one in title.lower().replace(" ", "-") if one.isalnum() or one in "-_")


def _section(title: str, kinds: Sequence[Kind]) -> str:
    worst_first = sorted(kinds, key=lambda kind: SEVERITIES.index(kind.severity))
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(tuple, map(_cells, worst_first))]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(row)} |" for row in rows)])


def _cells(kind: Kind) -> Iterator[str]:
    yield _marked(kind.symptom)
    yield f"**{kind.severity}** `{kind.name}`"
    yield _marked(kind.effect)
    yield _marked(kind.remedy)


def _marked(text: str) -> str:
    """With flags and commands in backticks."""
    return "".join(f"`{part}`" if is_command else _escaped(part) for is_command, part in pieces(text))


def _escaped(text: str) -> str:
    return "".join(f"\\{one}" if one in "|<>*_`[]" else one for one in text)


if __name__ == "__main__":
    print(page(), end="")
