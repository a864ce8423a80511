"""The page of a run, through the command: complete, safe and bounded, whatever is there and whatever is called how."""

import base64
import csv
import json
import os
import re
import shutil
import sys
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.checkpoints import CHECKPOINT_KEY
from lightning_seg.plots.difference import WRONG
from lightning_seg.report.contents import read_content
from lightning_seg.report.galleries import Gallery
from lightning_seg.report.looking import Look, Panel
from lightning_seg.report.page import Seen, render, write_report
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder
from lightning_seg.synthetic.scenes import write_scenes
from tests.doctor.pages import Page
from tests.report.test_records import OLD_RUNS

KINDS = ["one_logit", "classes", "classification", "detector"]
COLUMNS = ["path", "truth", "prediction", "probability", "loss", "score", "quantity", "group"]
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not OLD_RUNS.is_dir(), reason="a source distribution has no runs of earlier code"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of earlier code with the pictures that they were trained on."""
    folder = tmp_path_factory.mktemp("place")
    write_carvana(folder / "data/carvana", num_cars=6, num_views=4, size=(32, 48))
    write_image_mask_folder(folder / "data/own", num_pictures=24)
    write_flowers(folder / "data/flowers", num_per_class=6)
    write_scenes(folder / "data/scenes", num_scenes=2, num_per_class=3)
    return folder


@pytest.fixture
def at_place(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def report(run: Path, output: Path, *flags: str) -> str:
    assert main(["report", "--run", str(run), "--output", str(output), *flags]) == 0
    return output.read_text("utf-8")


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "test_pictures.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(run: Path, rows: list[dict[str, str]]) -> None:
    with (run / "test_pictures.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)


def pixels_of(image: dict[str, str]) -> np.ndarray:
    content = BytesIO(base64.b64decode(image["src"].partition(",")[2]))
    return np.asarray(Image.open(content).convert("RGB")).astype(int)


def assert_harmless(text: str, page: Page) -> None:
    """Nothing runs, nothing is loaded, and everybody can read it."""
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:image/jpeg;base64,")), (tag, attributes[name])
    assert not re.search(r"url\((?!#)|@import", text)
    (policy,) = [one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    targets = {one["href"][1:] for one in page.all("a")}
    targets |= {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes}
    assert targets <= set(names)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[:2] == [1, 2]
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert all(image["alt"] and int(image["width"]) and int(image["height"]) for image in page.all("img"))
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 0
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in page.all("div") if one.get("class") == "wide")


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_earlier_code_have_a_page_with_their_pictures(kind: str, at_place: Path, tmp_path: Path) -> None:
    text = report(OLD_RUNS / kind, tmp_path / "report.html")
    page = Page(text)
    assert_harmless(text, page)
    for title in ("Overview", "Curves", "Test pictures", "Data", "Commands", "Versions"):
        assert title in page.texts
    number = len(rows_of(OLD_RUNS / kind))
    # The worst are not shown again among the best.
    assert len([one for one in page.all("img") if one["alt"].startswith("picture: ")]) == number
    assert "training" in page.texts
    assert f"lightning-seg predict --run {OLD_RUNS / kind} --images photo.jpg --output predictions" in page.texts
    whats = {one["alt"].partition(":")[0] for one in page.all("img")}
    masks = {"picture", "truth", "prediction", "difference"}
    assert whats == {"one_logit": masks, "classes": masks, "classification": {"picture"}}.get(
        kind, {"picture", "prediction"}
    )


def test_the_worst_picture_comes_first_beside_its_truth(at_place: Path, tmp_path: Path) -> None:
    run = OLD_RUNS / "classes"
    page = Page(report(run, tmp_path / "report.html", "--pictures", "2"))
    worst = sorted(rows_of(run), key=lambda row: float(row["score"]))
    shown = [one["alt"].removeprefix("picture: ") for one in page.all("img") if one["alt"].startswith("picture: ")]
    files = [os.path.relpath(row["path"], "data/own") for row in worst]
    assert shown == [*files[:2], *files[::-1][:2]]
    (truth,) = [one for one in page.all("img") if one["alt"] == f"truth: {files[0]}"]
    picture, tinted = Image.open(worst[0]["path"]).convert("RGB"), pixels_of(truth)
    assert tinted.shape[:2] == picture.size[::-1]
    # The background is as it was; where the mask is of class 1, half of its colour lies over the picture.
    mask = np.asarray(Image.open(worst[0]["path"].replace("images", "masks").replace(".jpg", ".png")))
    pixels = np.asarray(picture).astype(float)
    assert np.abs(tinted - pixels)[mask == 0].mean() < 6
    colours = re.findall(r'background: #(\w{6})"></span> (\w+)', page_text(tmp_path))
    (colour,) = {colour for colour, name in colours if name == "disc"}
    expected = pixels / 2 + np.frombuffer(bytes.fromhex(colour), np.uint8) / 2
    assert np.abs(tinted - expected)[mask == 1].mean() < 12


def page_text(folder: Path) -> str:
    return (folder / "report.html").read_text()


def test_the_difference_shows_wrong_pixels_alone(at_place: Path, tmp_path: Path) -> None:
    run = OLD_RUNS / "classes"
    page = Page(report(run, tmp_path / "report.html", "--pictures", "1"))
    by_what = {one["alt"].partition(":")[0]: one for one in page.all("img")[:4]}
    wrong = (np.abs(pixels_of(by_what["difference"]) - WRONG).sum(axis=2) < 90).mean()
    # Its network answers background nearly everywhere, so what is wrong is what is no background.
    row = min(rows_of(run), key=lambda row: float(row["score"]))
    mask = np.asarray(Image.open(row["path"].replace("images", "masks").replace(".jpg", ".png")))
    assert wrong == pytest.approx((mask != 0).mean(), abs=0.08)


def test_a_run_without_its_dataset_shows_everything_else_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = report(OLD_RUNS / "classes", tmp_path / "report.html")
    page = Page(text)
    assert page.all("img") == []
    assert "Worst and best pictures are left out, since the dataset cannot be used: data/own" in page.text
    assert "Worst and best pictures are left out" in capsys.readouterr().out
    assert {"Overview", "Curves", "Classes", "Commands", "Versions"} <= set(page.texts)


def test_the_dataset_may_lie_elsewhere_now(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(OLD_RUNS / "classification", tmp_path / "run"))
    rows = rows_of(run)
    # The table knows them as data/flowers/... of the folder in which they were tested.
    assert not Path(rows[0]["path"]).is_absolute()
    monkeypatch.chdir(tmp_path)
    page = Page(report(run, tmp_path / "report.html", "--data.root", str(place / "data/flowers")))
    assert len(page.all("img")) == len(rows)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_run_that_was_never_tested_says_what_to_type(at_place: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD_RUNS / "one_logit", tmp_path / "never tested"))
    (run / "test_pictures.csv").unlink()
    page = Page(report(run, tmp_path / "report.html"))
    assert page.all("img") == []
    # In the section and among the commands.
    assert [text for text in page.texts if text.startswith("lightning-seg test")] != []
    assert f"lightning-seg test --run '{run}'" in page.text
    # The sizes of the splits come from the dataset.
    assert {"training", "validation", "test"} <= set(page.texts)


def test_a_detector_that_was_compared_with_boxes_alone_is_not_called_untested(at_place: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD_RUNS / "detector", tmp_path / "run"))
    (run / "test_pictures.csv").unlink()
    text = Page(report(run, tmp_path / "report.html")).text
    assert "There is no table of test pictures" in text
    assert "never tested" not in text


def test_new_tables_tell_classes_and_losses(at_place: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD_RUNS / "classification", tmp_path / "run"))
    rows = rows_of(run)
    for number, row in enumerate(rows):
        truth = Path(row["path"]).parent.name
        said = truth if number % 3 else "tulips" if truth != "tulips" else "roses"
        row |= {"truth": truth, "prediction": said, "probability": f"0.{90 - number}", "loss": "1.5"}
        row["score"] = str(int(truth == said))
    write_rows(run, rows)
    page = Page(report(run, tmp_path / "report.html"))
    assert "Worst pictures by probability of a wrong class" in page.texts
    assert "Confusions" in page.texts
    assert f"true: {Path(rows[0]['path']).parent.name}" in page.text
    assert "predicted: tulips (0.90)" in page.text
    # The network of these files does not say what the table was written with.
    assert "The network says now something else than in the test of" in page.text
    only = Page(report(run, tmp_path / "report.html", "--class_name", "daisy", "--order", "loss"))
    assert "Worst pictures by loss with the class daisy" in only.texts
    assert {one["alt"].split(": ")[1].split("/")[0] for one in only.all("img")} == {"daisy"}


HOSTILE = ["<script>alert(1)<_script>", "\"quoted\" & 'more' onerror=x", "{{ 7 * 7 }} $a$ `b`|c"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained and tested run whose classes, files and folder have names that mean something to pages and shells."""
    folder = tmp_path_factory.mktemp("hostile")
    generator = np.random.default_rng(0)
    for name in HOSTILE:
        (folder / "data" / name).mkdir(parents=True)
        for number in range(6):
            noise = Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8))
            noise.save(folder / "data" / name / f"{name}_{number}.png")
    run = folder / "it's <b>a run"
    assert (
        main(
            [
                *("fit", "--model", "CNNClassifierTask", "--data", "ImageFolderDataModule"),
                *("--data.root", str(folder / "data"), "--data.image_size", "8", "--data.batch_size", "4"),
                *("--data.test_fraction", "0.34", "--data.val_fraction", "0.2", "--data.num_workers", "0"),
                *("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--run_folder", str(run), "--quiet"),
            ]
        )
        == 0
    )
    assert main(["test", "--run", str(run), "--quiet"]) == 0
    return run


def test_hostile_names_are_text(hostile: Path, tmp_path: Path) -> None:
    text = report(hostile, tmp_path / "report.html")
    page = Page(text)
    assert_harmless(text, page)
    assert "it's <b>a run" in page.text
    shown = [one["alt"] for one in page.all("img")]
    for name in HOSTILE:
        assert any(name in alt for alt in shown)


def test_a_config_of_a_stranger_builds_nothing(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(hostile, tmp_path / "run"))
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("lightning_seg.ImageFolderDataModule", "os.system"))
    page = Page(report(run, tmp_path / "report.html"))
    said = capsys.readouterr().out
    assert "data is 'os.system'" in said or "data is os.system" in said
    assert "give --trust_config" in page.text
    assert page.all("img") == []


def test_a_task_of_the_users_own_answers_where_its_config_is_trusted(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    own = "from lightning_seg import CNNClassifierTask\n\n\nclass Mine(CNNClassifierTask):\n    pass\n"
    (tmp_path / "reported_task.py").write_text(own)
    run = Path(shutil.copytree(hostile, tmp_path / "run"))
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("lightning_seg.CNNClassifierTask", "reported_task.Mine"))
    checkpoint = run / "checkpoints" / "best.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content[CHECKPOINT_KEY]["task"] = "reported_task.Mine"
    torch.save(content, checkpoint)
    text = Page(report(run, tmp_path / "report.html")).text
    assert "since the network cannot be used" in text
    assert "reported_task.Mine" in text
    assert "reported_task" not in sys.modules
    trusted = Page(report(run, tmp_path / "report.html", "--trust_config"))
    assert len(trusted.all("img")) == len(rows_of(run))


def test_files_that_cannot_be_read_are_told(hostile: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(hostile, tmp_path / "run"))
    (run / "metrics.json").write_text('{"epochs": ')
    (run / "checkpoints" / "best.ckpt").write_bytes(b"cut")
    (run / "checkpoints" / "last.ckpt").write_bytes(b"cut")
    page = Page(report(run, tmp_path / "report.html"))
    assert "metrics.json: no valid JSON" in page.text
    assert "since the network cannot be used" in page.text
    assert "Test pictures" in page.texts


def test_a_picture_that_is_gone_has_its_reason_in_its_place(hostile: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(hostile, tmp_path / "run"))
    rows = rows_of(run)
    write_rows(run, [{**rows[0], "path": "gone.png"}, *rows[1:]])
    page = Page(report(run, tmp_path / "report.html"))
    assert "not among the test pictures of this dataset" in page.text
    assert len(page.all("img")) == len(rows) - 1


def test_24_hard_pictures_stay_below_3_megabytes(tmp_path: Path) -> None:
    """Noise: no picture of this size is larger."""
    generator = np.random.default_rng(0)
    (tmp_path / "config.yaml").write_text("data: {}\n")
    (tmp_path / "test_pictures.csv").write_text("path,score,quantity\na.jpg,0.5,mean IoU\n")
    content = read_content(tmp_path)

    def panel(what: str) -> Panel:
        return Panel(what, generator.integers(0, 256, (160, 160, 3), dtype=np.uint8))

    whats = ("picture", "truth", "prediction", "difference")
    looks = tuple(Look(content.tested[0], tuple(map(panel, whats)), "", ()) for _ in range(12))
    size = write_report(tmp_path / "report.html", content, Seen((Gallery("Worst", looks), Gallery("Best", looks))))
    assert 1e6 < size < 3e6
    assert len(Page((tmp_path / "report.html").read_text()).all("img")) == 96


def test_the_page_is_for_light_and_dark_and_paper(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {}\n")
    (tmp_path / "metrics.csv").write_text("epoch,step,val/loss\n0,1,3\n1,2,2\n")
    text = render(read_content(tmp_path))
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    assert "#000000" not in text
    assert "currentColor" in text


def test_a_report_replaces_the_one_before_or_leaves_it(hostile: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    output.write_text("the one before")
    report(hostile, output, "--pictures", "0")
    assert output.read_text().startswith("<!DOCTYPE html>")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "there is no run; give --run RUN"),
        (["--run", "RUN", "--output", "."], "a folder is there; give a file"),
        (["--run", "RUN", "--class_name", "rose"], "class 'rose' does not exist"),
        (["--run", "RUN", "--pictures", "-1"], "pictures -1"),
        (["--run", "nowhere"], "nowhere: no run there"),
    ],
)
def test_mistakes_are_one_line(
    flags: list[str], said: str, hostile: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [str(hostile) if word == "RUN" else word for word in flags]
    output = [] if "--output" in words else ["--output", str(tmp_path / "r.html")]
    assert main(["report", *words, *output]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r.html").exists()


def test_intervals_of_a_comparison_are_shown(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "wide" / "seed_0"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("data: {}\n")
    (tmp_path / "comparison.json").write_text("{}")
    assert "comparison.json: not as compare writes it" in Page(render(read_content(run))).text
    scores = {"best/val/miou": {"mean": 0.5, "deviation": 0.01}, "test/miou": {"mean": 0.4, "deviation": 0.02}}
    pair = {"first": "wide", "second": "slim", "difference": 0.1, "low": 0.05, "high": 0.15, "verdict": "wide better"}
    content = {"metric": "miou", "score": "mean IoU", "seeds": [0, 1], "interval": {"level": 0.95}, "pairs": [pair]}
    (tmp_path / "comparison.json").write_text(json.dumps({**content, "variants": {"wide": scores}}))
    page = Page(render(read_content(run)))
    assert {"wide - slim", "0.0500", "0.1500", "wide better", "Over the seeds 0, 1"} <= set(page.texts)


def test_masks_have_their_confusions_by_pixels(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {}\n")
    table = "truth,prediction,pixels\nsky,sky,300\nsky,tree,100\ntree,sky,1\ntree,tree,599\n"
    (tmp_path / "confusion_pixels.csv").write_text(table)
    text = report(tmp_path, tmp_path / "report.html")
    page = Page(text)
    assert_harmless(text, page)
    assert {"Confusions", "Most frequent mistakes", "sky as tree", "25.00%", "0.17%", "75.0"} <= set(page.texts)
    (caption,) = [one for one in page.texts if one.startswith("test pixels by true and predicted class")]
    assert "89.9% of 1,000 right" in caption
