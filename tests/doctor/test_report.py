"""The report: one page that is safe, complete and bounded whatever the files are called."""

import base64
import os
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seg.datamodules.image_mask_folder import ImageMaskFolderDataModule
from lightning_seg.datasets.coco_objects import CocoObjectsDataset
from lightning_seg.doctor.advice.numbers import numbers_of
from lightning_seg.doctor.diagnosis import Diagnosis
from lightning_seg.doctor.examination import examine, opened_subject
from lightning_seg.doctor.findings import Finding, Kind, Shown, worst_first
from lightning_seg.doctor.subject import Subject
from lightning_seg.doctor.telling import exhibits
from lightning_seg.doctor.telling.exhibits import Exhibit, exhibits_of
from lightning_seg.doctor.telling.report import render, write_report
from lightning_seg.doctor.telling.summary import summarize
from tests.doctor.faulty import CLASSES, HOSTILE, write_faulty
from tests.doctor.pages import Page

KIND = Kind("a-kind", "warning", "what is seen", "what follows", "give --data.unreadable skip, or remove it")


def diagnosis_of(subject: Subject, findings: list[Finding]) -> Diagnosis:
    return Diagnosis(summarize(subject), numbers_of(subject, (32, 32)), None, findings)


def page_of(subject: Subject, findings: list[Finding]) -> str:
    return render(subject, diagnosis_of(subject, findings))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Subject, list[Finding]]]:
    data = write_faulty(tmp_path_factory.mktemp("faulty") / "root")
    with opened_subject(data) as (subject, refused):
        yield subject, worst_first([*refused, *examine(subject)])


@pytest.fixture(scope="module")
def text(faulty: tuple[Subject, list[Finding]]) -> str:
    return page_of(*faulty)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


@pytest.fixture
def halves(tmp_path: Path) -> Iterator[Subject]:
    """Four black pictures of 64x32 pixels whose masks hold class 1 in their left half."""
    for folder in ("images", "masks"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    mask = np.zeros((32, 64), np.uint8)
    mask[:, :32] = 1
    for name in "abcd":
        Image.new("RGB", (64, 32)).save(tmp_path / "root" / "images" / f"{name}.jpg")
        Image.fromarray(mask).save(tmp_path / "root" / "masks" / f"{name}.png")
    data = ImageMaskFolderDataModule(tmp_path / "root", ["right", "left"], val_fraction=0.25, test_fraction=0.25)
    with opened_subject(data) as (subject, _):
        yield subject


def pixels_of(exhibit: Exhibit, number: int) -> np.ndarray:
    source = exhibit.panels[number].source
    return np.asarray(Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")).astype(int)


def test_nothing_runs_and_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "form", "base", "i"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:image/jpeg;base64,")), (tag, attributes[name])
    (policy,) = [one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")


@pytest.mark.parametrize(
    "shown",
    [
        "images/<script>alert(1)<_script>.jpg",
        "images/\"quoted\" & 'more' onerror=x.jpg",
        r"images/no_utf8_\udcff\udcfe.jpg",
        r"images/line\nbreak\x1b[31m.jpg",
        r"images/turned \u202egpj.jpg",
        "images/{{ 7 * 7 }} {% x %} $a$ `b`|c.jpg",
    ],
)
def test_hostile_names_are_text(page: Page, shown: str) -> None:
    assert shown in page.text


def test_classes_with_hostile_names_are_text_in_tables(page: Page) -> None:
    assert str(CLASSES[2]) in page.texts


def test_the_page_can_be_read_by_everyone(page: Page, text: str) -> None:
    assert text.encode("utf-8").decode() == text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[:2] == [1, 2]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert page.all("img")
    assert all(image["alt"] and int(image["width"]) and int(image["height"]) for image in page.all("img"))
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    # Whoever has no mouse can scroll what is wider than the window.
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in page.all("div") if one.get("class") == "wide")
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    targets = {one["href"][1:] for one in page.all("a")}
    targets |= {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes}
    assert targets <= set(names)


def test_the_page_is_for_light_and_dark_and_paper(text: str) -> None:
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    # What matplotlib draws in black takes the colour of the text.
    assert not any("#000000" in svg for svg in re.findall("<svg.*?</svg>", text, re.DOTALL))
    assert "stroke: currentColor" in text


def test_every_finding_has_its_effect_and_its_remedy_to_be_copied(
    page: Page, faulty: tuple[Subject, list[Finding]]
) -> None:
    findings = faulty[1]
    assert len(page.all("article")) == len(findings) > 8
    assert [article["class"] for article in page.all("article")] == sorted(
        (finding.severity for finding in findings), key=["error", "warning", "note"].index
    )
    for finding in findings:
        assert finding.kind.name in page.text
        assert finding.kind.effect in page.text
    assert "--data.unreadable skip" in page.texts


def test_ten_files_are_drawn_and_all_are_named(page: Page) -> None:
    cut = len(HOSTILE) + 12
    assert f"all {cut} files" in page.text
    assert page.text.count("image file is truncated") >= 10
    assert all(f"images/cut_{number:02}.jpg" in page.text for number in range(12))


def test_what_cannot_be_read_has_its_reason_in_its_place(faulty: tuple[Subject, list[Finding]]) -> None:
    subject, _ = faulty
    zero = str(subject.root / "images" / "zero.jpg")
    bad_mask = str(subject.root / "masks" / "bad_mask.png")
    ((one,), (other,)) = exhibits_of(subject, [Finding(KIND, [zero]), Finding(KIND, [bad_mask])])
    assert [panel.source for panel in one.panels] == [""]
    assert "cannot be read as a picture" in one.panels[0].reason
    # The picture of a mask that cannot be read can be.
    assert [bool(panel.source) for panel in other.panels] == [True, False]


def test_a_mask_is_laid_over_its_picture_in_the_colours_of_its_classes(halves: Subject) -> None:
    mask = str(halves.root / "masks" / "a.png")
    ((shown,),) = exhibits_of(halves, [Finding(KIND, [mask])])
    plain, tinted = pixels_of(shown, 0), pixels_of(shown, 1)
    assert plain.shape == (32, 64, 3)
    assert plain.max() < 8
    # 40 % of orange (230, 159, 0) over black, and of black.
    assert np.abs(tinted[5:27, 4:26].mean(axis=(0, 1)) - [92, 64, 0]).max() < 6
    assert np.abs(tinted[5:27, 38:60].mean(axis=(0, 1))).max() < 6
    # The outline between them is in full colour.
    assert np.abs(tinted[5:27, 31].mean(axis=0) - [230, 159, 0]).max() < 40


def test_masks_of_pictures_are_shown_where_a_finding_asks_for_them(halves: Subject) -> None:
    picture = str(halves.root / "images" / "a.jpg")
    findings = [Finding(KIND, [picture]), Finding(KIND, [picture], shown=Shown([[picture]], ["odd"], masks=True))]
    (without,), (with_mask,) = exhibits_of(halves, findings)
    assert len(without.panels) == 1
    assert len(with_mask.panels) == 2
    assert with_mask.caption == "odd"


def test_pairs_are_side_by_side_with_their_masks(halves: Subject) -> None:
    first, second = (str(halves.root / "images" / name) for name in ("a.jpg", "b.jpg"))
    finding = Finding(KIND, [first, second], shown=Shown([[first, second]], ["<b>one</b> photo"], masks=True))
    ((pair,),) = exhibits_of(halves, [finding])
    assert pair.files == (first, second)
    assert [bool(panel.source) for panel in pair.panels] == [True] * 4
    page = Page(page_of(halves, [finding]))
    assert len([one for one in page.all("figure") if one.get("class") == "pair"]) == 1
    assert [image["alt"] for image in page.all("img")] == [
        "picture: images/a.jpg",
        "mask laid over its picture: masks/a.png",
        "picture: images/b.jpg",
        "mask laid over its picture: masks/b.png",
    ]
    assert "<b>one</b> photo" in page.text


def test_groups_are_side_by_side(halves: Subject) -> None:
    files = [str(halves.root / "images" / f"{name}.jpg") for name in "abcd"]
    ((first, second),) = exhibits_of(halves, [Finding(KIND, files, shown=Shown([files[:2], files[2:] * 3]))])
    assert first.files == tuple(files[:2])
    assert len(first.panels) == 2
    assert second.files == (*files[2:], *files[2:])


def test_figures_are_for_programs_and_may_hold_anything(halves: Subject) -> None:
    picture = str(halves.root / "images" / "a.jpg")
    figures = {"groups": ["car_1"], "pairs": 3, "pictures": 42, "masks": None, "counts": np.arange(2)}
    finding = Finding(KIND, [picture], figures=figures)
    assert len(Page(page_of(halves, [finding])).all("img")) == 1
    assert finding.as_dict()["figures"]["counts"] == [0, 1]


def test_details_have_no_control_characters(halves: Subject) -> None:
    text = page_of(halves, [Finding(KIND, detail="a\x1b[31m\udcff\u202eb")])
    assert r"a\x1b[31m\udcff\u202eb" in text
    assert not {"\x1b", "\udcff", "\u202e"} & set(text)


def test_a_run_has_its_lines_and_its_curves(halves: Subject) -> None:
    curves = {"train/loss": {0: 1.0, 1: 0.5}, "val/loss": {0: 0.9, 1: 0.6}, "val/miou": {1: 0.5}}
    page = Page(render(halves, diagnosis_of(halves, [])._replace(run=["run runs/a: 2 epochs"], curves=curves)))
    assert "run runs/a: 2 epochs" in page.text
    assert "loss and miou of training and validation, epoch by epoch" in page.text
    assert len(page.all("svg")) == 3


def test_boxes_are_drawn_in_the_colours_of_their_classes(tmp_path: Path) -> None:
    Image.new("RGB", (352, 176)).save(tmp_path / "a.png")
    text = (
        '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}],'
        '"annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [100, 40, 200, 100]}]}'
    )
    (tmp_path / "boxes.json").write_text(text)
    dataset = CocoObjectsDataset(tmp_path / "boxes.json", tmp_path)
    subject = Subject(tmp_path, dataset.class_names, {"test": dataset}, {})
    ((shown,),) = exhibits_of(subject, [Finding(KIND, [str(tmp_path / "a.png")])])
    assert shown.notes == ("test, y",)
    pixels = pixels_of(shown, 0)
    assert pixels.shape == (88, 176, 3)
    # Half as large: from (50, 20) to (150, 70), in sky blue, the second colour of boxes.
    for row, column in ((20, 100), (70, 100), (45, 50), (45, 150)):
        assert np.abs(pixels[row, column] - [86, 180, 233]).max() < 60, (row, column)
    assert pixels[30:60, 60:140].max() < 12


def test_a_list_is_no_picture_and_has_none(halves: Subject) -> None:
    (halves.root / "pairs.csv").write_text("image,mask\n")
    ((shown,),) = exhibits_of(halves, [Finding(KIND, [str(halves.root / "pairs.csv")])])
    assert shown.panels == ()


def test_forty_findings_about_the_hardest_pictures_stay_below_15_megabytes(tmp_path: Path) -> None:
    """Noise: no file of this size is larger."""
    generator = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(10):
        noise = generator.integers(0, 256, (200, 200, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(noise[..., 0] % 2).save(tmp_path / "masks" / f"{number}.png")
    data = ImageMaskFolderDataModule(tmp_path, ["a", "b"], images="images/*.png")
    with opened_subject(data) as (subject, _):
        masks = [str(tmp_path / "masks" / f"{number}.png") for number in range(10)]
        long = Finding(KIND, [f"{tmp_path}/images/{'x' * 100}{number}.png" for number in range(100_000)])
        findings = [*[Finding(KIND, masks, detail="y" * 100_000)] * 40, long]
        size = write_report(tmp_path / "report.html", subject, diagnosis_of(subject, findings))
    assert 5e6 < size < 15e6
    text = (tmp_path / "report.html").read_text()
    assert len(text) == size
    assert "more are not drawn, since the page would become too large" in text
    assert "the first 200 of 100000 files" in text


def test_a_report_is_there_completely_or_as_it_was(
    halves: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("the one before")

    def fill_the_disk(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(path, halves, diagnosis_of(halves, []))
    assert path.read_text() == "the one before"
    assert [one.name for one in tmp_path.iterdir() if "partial" in one.name] == []


def test_nothing_found_and_nothing_there_are_pages_too(tmp_path: Path) -> None:
    subject = Subject(tmp_path, (), {}, {})
    page = Page(page_of(subject, []))
    assert "0 errors, 0 warnings, 0 notes: nothing would end or spoil a training" in page.text
    assert page.all("article") == page.all("img") == []


def test_small_pictures_stay_what_they_are(halves: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhibits, "SIDE", 16)
    ((shown,),) = exhibits_of(halves, [Finding(KIND, [str(halves.root / "images" / "a.jpg")])])
    assert pixels_of(shown, 0).shape == (8, 16, 3)
