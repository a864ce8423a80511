"""Links that leave the folder of the pages: on the site they lead to pages that are made of the files."""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "readme.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Files beside ``docs`` that are pages of the site, and where they are there."""
NOTEBOOKS = "notebooks"
"""The one folder that is a page."""
FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"(\]\(|(?:src|href)=\")(?![a-z]+:|#|/)([^)\s#\"]+)")


def page_of(file: str) -> str:
    """Where a file of the repository is on the site, relative to its top; both with ``/``."""
    path = Path(file)
    if file == NOTEBOOKS:
        return "notebooks/index.md"
    if path.parts[0] == "docs":
        return file.removeprefix("docs/")
    if file in PAGES:
        return PAGES[file]
    if file.startswith("benchmarks/results/"):
        return f"results/{path.name}"
    if path.suffix == ".ipynb":
        return f"notebooks/{path.stem}.md"
    # MkDocs leaves hidden files out.
    return f"files/{'/'.join(part.lstrip('.') for part in path.parts)}.md"


def linked(text: str, file: str) -> list[str]:
    """The files of the repository that a page links to, which is made of this file."""
    meant = [_meant(link, file) for _, link in TARGET.findall(FENCE.sub("", text))]
    return [target for target in meant if target not in (None, NOTEBOOKS)]


def moved(text: str, file: str, page: str) -> str:
    """The text of a file with links as they have to be on its page."""
    return _outside_fences(text, lambda prose: TARGET.sub(lambda link: _moved(link, file, page), prose))


def _meant(link: str, file: str) -> str | None:
    """The file that a relative link means, if there is one."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file), link))
    return target if target == NOTEBOOKS or (ROOT / target).is_file() else None


def _moved(link: re.Match[str], file: str, page: str) -> str:
    target = _meant(link[2], file)
    # What does not exist stays as it is, so that MkDocs complains of it.
    return link[0] if target is None else link[1] + posixpath.relpath(page_of(target), posixpath.dirname(page) or ".")


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    fences = FENCE.findall(text)
    prose = [change(part) for part in FENCE.split(text)]
    return "".join(part + fence for part, fence in zip(prose, [*fences, ""], strict=True))
