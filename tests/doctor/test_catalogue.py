"""The page of all kinds of findings is made of their own texts."""

from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import lightning_seg.doctor
from lightning_seg.doctor.catalogue import all_kinds, page
from lightning_seg.doctor.findings import SEVERITIES, Kind

PAGE = Path(__file__).parents[2] / "docs" / "data_problems.md"
KINDS = [kind for _, kinds in all_kinds() for kind in kinds]


def kinds_in(value: Any) -> list[Kind]:
    """Those that a module's value is or holds."""
    if isinstance(value, Kind):
        return [value]
    held = value.values() if isinstance(value, dict) else value if type(value) in (list, tuple) else ()
    return [kind for one in held for kind in kinds_in(one)]


def test_the_page_says_what_the_findings_say() -> None:
    command = "python -m lightning_seg.doctor.catalogue > docs/data_problems.md"
    assert PAGE.read_text() == page(), f"the texts have changed since: {command}"


def test_no_kind_of_finding_is_left_out() -> None:
    known = {kind.name for kind in KINDS}
    names = [entry.name for entry in walk_packages(lightning_seg.doctor.__path__, "lightning_seg.doctor.")]
    for name in (*names, "lightning_seg.commands.doctor"):
        module = import_module(name)
        for value in vars(module).values():
            for kind in kinds_in(value):
                assert kind.name in known, f"{kind.name} is in no KINDS, though in {name}"
    assert len(KINDS) > 20


def test_every_kind_has_a_name_of_its_own_and_all_its_texts() -> None:
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names))
    for kind in KINDS:
        assert kind.severity in SEVERITIES
        assert all([kind.name, kind.symptom, kind.effect, kind.remedy]), kind.name
        assert kind.name.replace("-", "").isalnum(), kind.name
        assert kind.name == kind.name.lower()


def test_rows_are_whole_whatever_the_texts_hold() -> None:
    text = page()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {5}
    assert "`--data.unreadable skip` |" in text
    (row,) = [line for line in rows if "`missing-mask`" in line]
    assert row.startswith(
        "| a picture has no mask | **error** `missing-mask` | fit refuses the dataset | add the masks"
    )
