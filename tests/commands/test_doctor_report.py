"""What ``lightning-seg doctor --output`` writes, and its last lines."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lightning_seg.__main__ import main
from tests.doctor.faulty import CLASSES, write_faulty
from tests.doctor.pages import Page

FIELDS = {"name", "severity", "count", "detail", "files", "effect", "remedy", "figures"}


def test_a_faulty_dataset_has_findings_in_both_files_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, output = tmp_path / "root", tmp_path / "new" / "out"
    write_faulty(root)
    words = ["--data", "ImageMaskFolderDataModule", "--data.root", str(root), "--data.classes", json.dumps(CLASSES)]
    assert main(["doctor", *words, "--speed", "false", "--output", str(output)]) == 1
    told = capsys.readouterr()

    findings = json.loads((output / "findings.json").read_text())
    assert all(set(finding) == FIELDS for finding in findings)
    (cut,) = [finding for finding in findings if finding["name"] == "cut-file"]
    assert len(cut["files"]) == cut["count"] == 18
    assert str(root / "images" / "no_utf8_\udcff\udcfe.jpg") in cut["files"]
    page = Page((output / "report.html").read_text())
    assert [one["class"] for one in page.all("article")] == [finding["severity"] for finding in findings]
    assert {"train", "val", "test"} <= set(page.texts)

    *_, verdict, place = told.out.splitlines()
    errors = sum(finding["severity"] == "error" for finding in findings)
    assert verdict.startswith(f"{errors} errors, ")
    assert verdict.endswith(": a training would end or be spoilt")
    assert place.startswith(f"{output / 'report.html'} (")
    assert place.endswith(f"{output / 'findings.json'}")
    assert "\x1b" not in told.out
    assert told.err.splitlines()[-1].startswith("lightning-seg: error: ")


def test_a_clean_dataset_is_said_to_be_clean(
    pets_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", "pets", "--data.root", str(pets_root), "--data.download", "false"]
    words += ["--data.cache_dir", str(tmp_path / "facts"), "--output", str(tmp_path)]
    assert main(["doctor", *words, "--speed", "false"]) == 0
    assert "0 errors, " in capsys.readouterr().out
    assert not [one for one in json.loads((tmp_path / "findings.json").read_text()) if one["severity"] == "error"]
    assert "nothing would end or spoil a training" in Page((tmp_path / "report.html").read_text()).text


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "misspelt"
    assert main(["doctor", "--config", "pets", "--data.root", str(root), "--data.download", "false"]) == 1
    assert "dataset-refused" in capsys.readouterr().out
    assert not root.exists()


def test_whole_pictures_with_boxes_are_looked_at_though_nothing_is_trained_on_them(
    scenes_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "scenes"
    shutil.copytree(scenes_root, root)
    (picture, *_) = sorted((root / "images").iterdir())
    picture.write_bytes(picture.read_bytes()[:-200])
    words = ["--data", "CocoObjectsDataModule", "--data.root", str(root), "--output", str(tmp_path / "out")]
    assert main(["doctor", *words]) == 1
    assert re.search(r"^test +4 +1 ", capsys.readouterr().out, re.MULTILINE)
    names = [finding["name"] for finding in json.loads((tmp_path / "out" / "findings.json").read_text())]
    assert "cut-file" in names
    assert "dataset-refused" not in names
