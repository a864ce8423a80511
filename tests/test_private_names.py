"""Private names of libraries that the package uses: each stands in docs/architecture.md, with the reason."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import lightning_seg

PACKAGE = Path(lightning_seg.__file__).parent
FILES = {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
TABLE = PACKAGE.parent / "docs" / "architecture.md"
PUBLIC = {"_replace", "_asdict", "_fields", "_exit"}
"""Documented, of named tuples and of ``os``."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def names_of_others(source: str) -> Iterator[str]:
    """Private names that are imported from elsewhere, or looked up on objects of classes that are not in this file."""
    tree = ast.parse(source)
    own = set(re.findall(r"(?:def |class |self\.)(_\w+)", source))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not str(node.module).startswith("lightning_seg"):
            yield from (part for part in str(node.module).split(".") if is_private(part))
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr"):
            yield from (
                str(one.value) for one in node.args[1:2] if isinstance(one, ast.Constant) and is_private(str(one.value))
            )
        elif isinstance(node, ast.Compare | ast.Subscript | ast.Tuple):
            # Names as texts: of classes that are compared, of entries in the states of libraries.
            parts = [*getattr(node, "comparators", []), getattr(node, "slice", None), *getattr(node, "elts", [])]
            texts = (str(one.value) for one in parts if isinstance(one, ast.Constant))
            yield from (text for text in texts if is_private(text) and text.isidentifier() and text not in own)


def names_of_bases(file: str) -> Iterator[str]:
    """Private names of a library's class that a class of this file overrides, sets or calls."""
    name = f"lightning_seg.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")
    for kind in vars(import_module(name)).values():
        if not isinstance(kind, type) or kind.__module__ != name:
            continue
        ours = set(re.findall(r"(?:def |self\.|super\(\)\.)(_[a-z]\w*)", inspect.getsource(kind)))
        for base in kind.__mro__:
            if base.__module__.partition(".")[0] in ("lightning_seg", "builtins", "typing", "abc", "enum"):
                continue
            theirs = set(re.findall(r"(?:def |self\.)(_[a-z]\w*)", inspect.getsource(base)))
            yield from ours & theirs - PUBLIC


def test_private_names_of_libraries_stand_in_the_table_with_their_reason() -> None:
    used = {(file, name) for file, source in FILES.items() for name in names_of_others(source)}
    used |= {(file, name) for file in FILES if file != "__main__.py" for name in names_of_bases(file)}
    section = TABLE.read_text().partition("## Private names of libraries")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    written = {(file, name) for row in rows for file in _code(row, 1) for name in _code(row, 0)}
    assert used == written


def _code(row: str, column: int) -> list[str]:
    return re.findall(r"`([^`]+)`", row.strip("| ").split(" | ")[column])


def test_the_check_sees_what_is_private() -> None:
    source = "from a._b import C, _d\nx = trainer._e\ngetattr(y, '_f')\nself._own = z._own\nos._exit(1)"
    assert set(names_of_others(source)) == {"_b", "_d", "_e", "_f"}
