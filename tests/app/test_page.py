"""The page in Chromium: photos go in, and what comes out is what ``Predictor`` says."""

import csv
import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from lightning_seg import Predictor
from lightning_seg.plots.boxes import draw_boxes
from lightning_seg.plots.overlay import draw_classes
from lightning_seg.plots.palette import object_palette, palette_of
from tests.app.browser import CHROMIUM, Browser, chromium, eventually
from tests.app.hostile import HOSTILE, write_hostile
from tests.app.opened import address_in, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed: pip install '.[app]'"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
UPLOAD = "#photo input[type=file]"
TOLD = "document.querySelector('#told p').innerText"


class Page(NamedTuple):
    """An open page."""

    browser: Browser
    address: str
    run: Path
    temporary: Path  # of the command
    downloads: Path

    def open(self) -> Browser:
        """Anew, as the first time."""
        self.browser.size(1200, 900)
        self.browser.open(self.address)
        self.browser.wait("document.querySelector('#photo button')")
        # Then it has come to life.
        self.browser.tab("Look")
        self.browser.tab("Try")
        return self.browser

    def give(self, path: Path, selector: str = UPLOAD) -> str:
        """Upload a photo, and wait for what the page says to it."""
        before = self.browser.run(TOLD)
        self.browser.give_file(selector, path)
        self.browser.wait(f"{TOLD} !== {json.dumps(before)}")
        return str(self.browser.run(TOLD)).strip()

    def download(self, name: str, button: str) -> Path:
        path = self.downloads / name
        path.unlink(missing_ok=True)
        self.browser.click(f"document.querySelector('#{button}')")
        assert eventually(lambda: path.is_file() and path.stat().st_size > 0)
        return path

    def uploads(self) -> list[Path]:
        return [path for path in self.temporary.rglob("*") if path.is_file() and "downloads" not in path.parts]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def page_of(browser: Browser, folder: Path, run: Path, *words: str) -> Iterator[Page]:
    with opened("--run", str(run), *words, folder=folder / "temporary") as (_, said):
        (folder / "downloads").mkdir()
        page = Page(browser, address_in(said), run, folder / "temporary", folder / "downloads")
        yield page


@pytest.fixture(scope="module")
def pets(browser: Browser, pets_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A run that draws masks, beside what it was before its weights were changed."""
    words = ["--compare_with", str(pets_run / "checkpoints" / "last.ckpt")]
    yield from page_of(browser, tmp_path_factory.mktemp("pets_page"), pets_run, *words)


@pytest.fixture(scope="module")
def flowers(browser: Browser, flowers_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    yield from page_of(browser, tmp_path_factory.mktemp("flowers_page"), flowers_run)


@pytest.fixture(scope="module")
def detector(
    browser: Browser, detector_run: Path, scenes_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    words = ["--data.root", str(scenes_root / "single")]
    yield from page_of(browser, tmp_path_factory.mktemp("detector_page"), detector_run, *words)


@pytest.fixture
def page(pets: Page) -> Page:
    """The first one, opened anew."""
    pets.open().save_downloads(pets.downloads)
    return pets


@pytest.fixture(scope="module")
def photo(pets_root: Path) -> Path:
    return sorted((pets_root / "images").glob("*.jpg"))[0]


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "test_pictures.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def listed(browser: Browser, place: str = "tested_list") -> list[str]:
    names: list[str] = browser.run(f"[...document.querySelectorAll('#{place} b')].map(one => one.innerText)")
    return names


def test_a_photo_goes_in_and_the_right_mask_comes_out(page: Page, photo: Path) -> None:
    expected = Predictor.from_run(page.run, device="cpu")(photo)
    said = page.give(photo)
    height, width = expected.mask.shape
    assert f"{width} x {height} pixels in " in said
    mask = np.asarray(Image.open(page.download(f"{photo.stem}_mask.png", "mask")))
    np.testing.assert_array_equal(mask, expected.mask)
    record = json.loads(page.download(f"{photo.stem}.json", "JSON").read_text())
    assert record["confidence"] == pytest.approx(expected.confidence, abs=1e-4)
    assert record["shares"]["pet"] == pytest.approx((expected.mask == 0).mean(), abs=1e-5)
    shown = page.browser.wait("document.querySelector('#answer img')?.naturalWidth")
    assert shown == width


def test_settings_change_the_answer_as_they_change_that_of_predict(page: Page, photo: Path) -> None:
    page.give(photo)
    page.browser.choose("Test-time augmentation", "d4")
    page.browser.wait(f"{TOLD}.includes('tta d4')")
    page.browser.slide("Tile", 128)
    page.browser.wait(f"{TOLD}.includes('tile 128')")
    mask = np.asarray(Image.open(page.download(f"{photo.stem}_mask.png", "mask")))
    expected = Predictor.from_run(page.run, device="cpu", tta="d4", tile=128)(photo)
    np.testing.assert_array_equal(mask, expected.mask)
    assert json.loads(page.download(f"{photo.stem}.json", "JSON").read_text())["options"] == {"tta": "d4", "tile": 128}


def test_the_legend_hides_classes_and_the_opacity_is_that_of_the_slider(page: Page, photo: Path) -> None:
    page.give(photo)
    said = Predictor.from_run(page.run, device="cpu")(photo)
    page.browser.click("document.querySelector('#legend input[name=pet]')")
    page.browser.slide("Opacity in percent", 80)
    written = BytesIO()
    # The background is not ticked at first.
    draw_classes(said.image, said.mask, said.class_names, 0.8, hidden=[0]).save(written, "JPEG", quality=90)

    def is_so() -> bool:
        return page.download(f"{photo.stem}_overlay.jpg", "overlay").read_bytes() == written.getvalue()

    assert eventually(is_so)
    patch = "getComputedStyle(one, '::before').backgroundColor"
    colours = page.browser.run(f"[...document.querySelectorAll('#legend .wrap label')].map(one => {patch})")
    assert colours == [f"rgb({red}, {green}, {blue})" for red, green, blue in palette_of(said.class_names)[:3].tolist()]


def test_the_camera(page: Page) -> None:
    browser = page.browser
    browser.click("document.querySelector('#photo button[aria-label=\"Capture from camera\"]')")
    browser.click("[...document.querySelectorAll('#photo button')].find(one => /access/i.test(one.innerText))")
    browser.wait("document.querySelector('#photo video')?.videoWidth")
    browser.click("document.querySelector('#photo button[aria-label=\"capture photo\"]')")
    browser.wait(f"{TOLD}.includes('pixels in')")
    assert "confidence" in browser.run(TOLD)


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_photo_is_one_line_and_nothing_on_the_disk(kind: str, page: Page, tmp_path: Path) -> None:
    before = page.uploads()
    said = page.give(write_hostile(kind, tmp_path / "photo.png"))
    assert said.startswith("photo.png: ")
    assert "\n" not in said
    assert page.browser.run("document.querySelector('#told p').getAttribute('role')") == "alert"
    assert eventually(lambda: page.uploads() == before)
    # The next one is answered.
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "next.png")
    page.browser.wait(f"document.querySelector('{UPLOAD}')")
    assert "40 x 40 pixels" in page.give(tmp_path / "next.png")


def test_one_pixel_is_answered(page: Page, tmp_path: Path) -> None:
    Image.fromarray(np.full((1, 1, 3), 90, np.uint8)).save(tmp_path / "one.png")
    assert "1 x 1 pixels in " in page.give(tmp_path / "one.png")


def test_500_megabytes_are_refused_and_leave_nothing(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 500 * 2**20)
    before = page.uploads()
    page.browser.give_file(UPLOAD, path)
    page.browser.wait("document.querySelector('.toast-body')")
    (line,) = [
        one for one in page.browser.run("document.querySelector('.toast-body').innerText").split("\n") if " " in one
    ]
    assert line == 'File(s) exceed the maximum allowed size of 64.0 Mb: "large.png"'
    assert page.uploads() == before


def test_the_worst_list_is_in_the_right_order_and_filtered_by_class(page: Page) -> None:
    rows, browser = rows_of(page.run), page.browser
    browser.tab("Look")
    by_score = [Path(row["path"]).name for row in sorted(rows, key=lambda row: float(row["score"]))]
    browser.wait("document.querySelector('#tested_list b')")
    assert listed(browser) == by_score
    browser.click("[...document.querySelectorAll('#order label')].find(one => one.innerText.includes('loss'))")
    by_loss = [Path(row["path"]).name for row in sorted(rows, key=lambda row: -float(row["loss"]))]
    assert eventually(lambda: listed(browser) == by_loss)


def test_the_worst_list_is_filtered_by_class(flowers: Page) -> None:
    rows, browser = rows_of(flowers.run), flowers.open()
    browser.tab("Look")
    browser.wait("document.querySelector('#tested_list b')")
    name = rows[0]["truth"]
    browser.choose("Class", name)
    kept = [Path(row["path"]).name for row in rows if name in (row["truth"], row["prediction"])]
    assert 0 < len(kept) < len(rows)
    assert eventually(lambda: sorted(listed(browser)) == sorted(kept)), listed(browser)


def test_a_picture_stands_beside_truth_prediction_and_difference(page: Page) -> None:
    """Chosen with the keyboard."""
    browser = page.browser
    browser.tab("Look")
    browser.wait("document.querySelector('#tested_list button')")
    browser.run("document.querySelector('#tested_list button').focus()")
    browser.press("Enter")
    browser.wait("document.querySelector('#tested_line').innerText.includes('Now: ')")
    row = min(rows_of(page.run), key=lambda row: float(row["score"]))
    width, height = Image.open(row["path"]).size
    for side in ("picture", "truth", "prediction", "difference"):
        shown = f"document.querySelector('#tested_{side} img')"
        sizes = f"{shown}?.naturalWidth && [{shown}.naturalWidth, {shown}.naturalHeight]"
        assert browser.wait(sizes) == [width, height]


def test_curves_numbers_and_training_pictures(page: Page) -> None:
    browser = page.browser
    browser.tab("Look")
    browser.tab("Numbers")
    browser.wait("document.querySelector('#numbers svg')")
    score = json.loads((page.run / "metrics.json").read_text())["test/miou"]
    assert f"{score:.4f}" in browser.text()
    browser.tab("Training")
    browser.click("document.querySelector('#draw')")
    browser.wait("document.querySelector('#training_line').innerText.includes('epoch 1')")
    assert browser.wait("document.querySelector('#sheet img')?.naturalWidth") > 300


def test_a_cell_of_the_confusion_matrix_shows_its_pictures(flowers: Page) -> None:
    browser, rows = flowers.open(), rows_of(flowers.run)
    browser.tab("Look")
    browser.tab("Confusion")
    first = rows[0]
    alike = [row for row in rows if (row["truth"], row["prediction"]) == (first["truth"], first["prediction"])]
    said = f"of {first['truth']} taken for {first['prediction']}"
    browser.click(f"document.querySelector('#matrix button[aria-label$=\"{said}\"]')")
    browser.wait(f"document.querySelector('#cell').innerText.includes('{len(alike)} {said}')")
    surest = sorted(alike, key=lambda row: -float(row["probability"]))
    assert eventually(lambda: listed(browser, "cell_list") == [Path(row["path"]).name for row in surest])
    browser.click("document.querySelector('#cell_list button')")
    browser.wait("document.querySelector('#cell_line').innerText.includes('Now: ')")
    browser.size(400, 800)
    assert browser.run("document.scrollingElement.scrollWidth") <= 400


def test_labels_come_with_their_probabilities(flowers: Page) -> None:
    flowers.open()
    photo = Path(rows_of(flowers.run)[0]["path"])
    expected = Predictor.from_run(flowers.run, device="cpu")(photo)
    assert flowers.give(photo).startswith(f"{expected.label}, probability {expected.confidence:.2f}")
    assert "Download mask" not in flowers.browser.text()
    assert "Opacity" not in flowers.browser.text()


def test_a_detector_answers_as_predict_does_with_every_setting(detector: Page, scenes_root: Path) -> None:
    detector.open().save_downloads(detector.downloads)
    photo, browser = sorted((scenes_root / "images").glob("*.jpg"))[0], detector.browser
    detector.give(photo)
    # This network is sure of little.
    browser.slide("Threshold", 0.15)
    browser.wait(f"{TOLD}.includes('threshold 0.15')")
    browser.choose("Merge", "none")
    browser.wait(f"{TOLD}.includes('merge none')")
    expected = Predictor.from_run(detector.run, device="cpu", threshold=0.15, merge="none")(photo)
    assert len(set(expected.labels)) > 1
    record = json.loads(detector.download(f"{photo.stem}.json", "JSON").read_text())
    assert record["options"] == {"threshold": 0.15, "merge": "none"}
    assert [one["label"] for one in record["detections"]] == expected.labels
    np.testing.assert_allclose([one["box"] for one in record["detections"]], expected.boxes, atol=0.051)
    assert f"{expected.labels.count(expected.labels[0])} {expected.labels[0]}" in browser.run(TOLD)
    fused = Predictor.from_run(detector.run, device="cpu", threshold=0.15)(photo)
    assert len(fused.labels) < len(expected.labels)


def test_the_legend_hides_boxes(detector: Page, scenes_root: Path) -> None:
    detector.open().save_downloads(detector.downloads)
    photo, browser = sorted((scenes_root / "images").glob("*.jpg"))[0], detector.browser
    detector.give(photo)
    browser.slide("Threshold", 0.15)
    browser.wait(f"{TOLD}.includes('threshold 0.15')")
    said = Predictor.from_run(detector.run, device="cpu", threshold=0.15)(photo)
    hidden, names = said.labels[0], list(said.heat_maps)
    browser.click(f"document.querySelector('#legend input[name={hidden}]')")
    kept = [number for number, label in enumerate(said.labels) if label != hidden]
    captions = [f"{said.labels[number]} {said.scores[number]:.2f}" for number in kept]
    colours = object_palette(len(names))[[names.index(said.labels[number]) for number in kept]]
    written = BytesIO()
    draw_boxes(said.image, said.boxes[kept], captions, colours).save(written, "JPEG", quality=90)

    def is_so() -> bool:
        return detector.download(f"{photo.stem}_overlay.jpg", "overlay").read_bytes() == written.getvalue()

    assert eventually(is_so)
    patch = "getComputedStyle(one, '::before').backgroundColor"
    shown = browser.run(f"[...document.querySelectorAll('#legend .wrap label')].map(one => {patch})")
    assert shown == [f"rgb({red}, {green}, {blue})" for red, green, blue in object_palette(len(names)).tolist()]


def test_a_tested_picture_of_a_detector_stands_beside_its_boxes(detector: Page) -> None:
    browser = detector.open()
    browser.tab("Look")
    browser.wait("document.querySelector('#tested_list button')")
    browser.click("document.querySelector('#tested_list button')")
    browser.wait("document.querySelector('#tested_line').innerText.includes('Now: ')")
    for side in ("picture", "prediction"):
        assert browser.wait(f"document.querySelector('#tested_{side} img')?.naturalWidth") > 32
    assert not browser.run("document.querySelector('#tested_truth img')")


def test_a_refused_setting_keeps_its_reason_when_classes_are_hidden(detector: Page, scenes_root: Path) -> None:
    browser = detector.open()
    detector.give(sorted((scenes_root / "images").glob("*.jpg"))[0])
    for scale in ("2.0", "3.0"):
        browser.click(f"[...document.querySelectorAll('label')].find(one => one.innerText.trim() === '{scale}')")
    browser.wait(f"{TOLD}.includes('scales [] must be')")
    browser.click("document.querySelector('#legend input')")
    browser.click("document.querySelector('#legend input')")
    assert "scales [] must be" in browser.run(TOLD)


def test_two_runs_on_the_same_picture_with_a_slider_between_them(page: Page) -> None:
    browser = page.browser
    browser.tab("Compare")
    path = Path(rows_of(page.run)[0]["path"])
    browser.choose("Test picture", path.name)
    browser.wait("document.querySelector('#pair_line').innerText.includes('pixels in')")
    width = Image.open(path).size[0]
    sizes = "[...document.querySelectorAll('#pair img')].map(one => one.naturalWidth)"
    assert eventually(lambda: browser.run(sizes) == [width, width])
    lines = browser.run("document.querySelector('#pair_line').innerText").split("\n")
    assert [line for line in lines if line.startswith("checkpoints/last.ckpt: ") or "/pets: " in line]
    before = browser.run("document.querySelector('#pair .outer').style.transform")
    browser.slide("Divider in percent", 10)
    assert eventually(lambda: browser.run("document.querySelector('#pair .outer').style.transform") != before)


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(page: Page, flowers: Page, photo: Path) -> None:
    nameless = list[Any]()

    def look(where: str, browser: Browser) -> None:
        nameless.extend((where, role) for role, name in browser.controls() if not name.strip())

    browser = page.browser
    page.give(photo)
    look("Try", browser)
    for tab in ("Look", "Numbers", "Training", "Compare"):
        browser.tab(tab)
        look(tab, browser)
    flowers.open()
    for tab in ("Look", "Confusion"):
        browser.tab(tab)
        look(tab, browser)
    assert nameless == []
    page.open()
    reached = set[str]()
    for _ in range(60):
        browser.press("Tab")
        reached.add(
            browser.run("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        )
    wanted = {"Try", "Upload file", "Capture from camera", "Test-time augmentation", "range slider for Tile"}
    assert wanted <= reached, reached


def test_nothing_is_asked_of_anybody_else(page: Page, flowers: Page, photo: Path) -> None:
    page.give(photo)
    for tab in ("Look", "Compare"):
        page.browser.tab(tab)
    asked = page.browser.asked()
    own = (page.address, flowers.address, "data:", "blob:", "about:")
    assert len(asked) > 10
    assert [address for address in asked if not address.startswith(own)] == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_screen_needs_no_scrolling_sideways(dark: bool, page: Page, photo: Path) -> None:
    browser = page.browser
    page.give(photo)
    browser.size(400, 800, dark)
    for tab in ("Try", "Look", "Numbers", "Training", "Compare"):
        browser.tab(tab)
        assert browser.run("document.scrollingElement.scrollWidth") <= 400, tab
    assert browser.run("document.body.classList.contains('dark')") == dark
