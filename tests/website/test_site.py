"""The site: built strictly, whole, and readable without a network."""

import importlib
import pkgutil
import re
import subprocess
from dataclasses import fields
from html.parser import HTMLParser
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from pytorch_lightning import Callback

import lightning_seg
from lightning_seg.__main__ import main
from lightning_seg.augmentation.mixing import Mixing
from tests.app.browser import CHROMIUM

ROOT = Path(__file__).parents[2]
PAIRS = [
    ("UNetTask", "CarvanaDataModule"),
    ("MobileNetV2UNetTask", "OxfordPetsDataModule"),
    ("SmpTask", "ImageMaskFolderDataModule"),
    ("CNNClassifierTask", "FlowersDataModule"),
    ("TimmClassifierTask", "ImageFolderDataModule"),
    ("SlidingDetectorTask", "CocoObjectsDataModule"),
    ("SlidingDetectorTask", "OxfordPetLabelsDataModule"),
    ("TimmClassifierTask", "StanfordDogsDataModule"),
    ("UNetTask", "PicturesDataModule"),
]

ROOTS = {"PicturesDataModule": ["--data.images", "photos", "--data.image_size", "64"]}
"""What stands for the root where there is none."""


class Page(HTMLParser):
    """What a page links to, loads and can be linked by."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.anchors = set[str]()
        self.links = set[str]()
        self.loaded = set[str]()
        self.menu = set[str]()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
            if "md-nav__link" in given.get("class", "") or "md-tabs__link" in given.get("class", ""):
                self.menu.add(given["href"])
        elif tag in ("script", "img", "link", "iframe", "source"):
            self.loaded |= {given[name] for name in ("src", "href") if name in given}

    def leads_to(self, link: str) -> tuple[Path, str]:
        file, anchor = urldefrag(link)
        return (self.path.parent / unquote(file)).resolve() if file else self.path, unquote(anchor)


def made(site: Path, **changes: Any) -> Path:
    config = load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(site), **changes)
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build(config)
    finally:
        config.plugins.on_shutdown()
    return site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    folder = made(tmp_path_factory.mktemp("site").resolve())
    return {path: Page(path) for path in folder.rglob("*.html")}


@pytest.fixture(scope="module")
def anchors(site: dict[Path, Page]) -> set[str]:
    return {anchor for page in site.values() for anchor in page.anchors}


def test_every_link_leads_to_a_page_and_a_place_on_it(site: dict[Path, Page]) -> None:
    dead = []
    for page in site.values():
        for link in page.links | page.loaded:
            if re.match(r"[a-z]+:|/$", link) or page.path.name == "404.html":
                continue
            file, anchor = page.leads_to(link)
            if not file.exists() or (file in site and anchor and anchor not in site[file].anchors):
                dead.append((page.path.name, link))
    assert dead == []
    assert len(site) > 40


def test_nothing_is_loaded_from_another_host(site: dict[Path, Page]) -> None:
    assert [one for page in site.values() for one in page.loaded if re.match(r"(?:https?:)?//", one)] == []
    folder = next(path for path in site if path.name == "404.html").parent
    styles = [path.read_text("utf-8") for path in folder.rglob("*.css")]
    assert styles
    assert [found for text in styles for found in re.findall(r"(?:url\(|@import)\s*[\"']?https?:[^)]*", text)] == []


def test_the_search_works_without_a_server(site: dict[Path, Page]) -> None:
    folder = next(path for path in site if path.name == "404.html").parent
    assert (folder / "search" / "search_index.js").read_text("utf-8").startswith("var __index = {")
    scripts = {Path(one).name for one in site[folder / "index.html"].loaded}
    assert "iframe-worker.js" in scripts


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(("asked", "found"), [("UNetTask", "lightning_seg.<mark"), ("xyzzy", "No matching documents")])
def test_a_page_that_is_opened_as_a_file_finds(asked: str, found: str, site: dict[Path, Page], tmp_path: Path) -> None:
    page = next(path for path in site if path.match("reference/configs.html"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
    words = [str(CHROMIUM), *flags, "--virtual-time-budget=20000", f"{page.as_uri()}?q={asked}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180, check=True)
    assert found in done.stdout.partition('class="md-search-result"')[2]


def test_the_menu_has_every_page(site: dict[Path, Page]) -> None:
    folder = next(path for path in site if path.name == "404.html").parent
    start = site[folder / "index.html"]
    listed = {start.leads_to(link)[0] for link in start.menu}
    assert [path.name for path in site if path not in listed and path.name != "404.html"] == []


def exported() -> dict[type, set[str]]:
    """Classes that the package or one of its rooms exports, with all paths by which they can be imported."""
    rooms = [f"lightning_seg.{room.name}" for room in pkgutil.iter_modules(lightning_seg.__path__) if room.ispkg]
    paths: dict[type, set[str]] = {}
    for home in map(importlib.import_module, ("lightning_seg", *rooms)):
        for name in getattr(home, "__all__", ()):
            if isinstance(thing := getattr(home, name), type):
                paths.setdefault(thing, set()).add(f"{home.__name__}.{name}")
    return paths


def test_the_reference_has_every_class_that_is_exported(anchors: set[str]) -> None:
    classes = exported()
    assert {"UNetTask", "OxfordPetsDataModule", "Predictor", "DataWait"} <= {one.__name__ for one in classes}
    assert [one for one, paths in classes.items() if not paths & anchors] == []


def test_a_page_that_names_a_class_leads_to_it(site: dict[Path, Page]) -> None:
    page = next(page for path, page in site.items() if path.name == "changelog.html")
    assert "reference/python/tasks.html#lightning_seg.SmpTask" in page.links


def test_the_reference_shows_every_example(site: dict[Path, Page]) -> None:
    pages = "".join(path.read_text("utf-8") for path in site if path.parent.name == "python")
    files = (ROOT / "lightning_seg").rglob("*.py")
    assert pages.count("Examples:") == sum(path.read_text("utf-8").count("    Examples:\n") for path in files) > 50


def keys_of_config(task: str, data: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command line prints as the whole config of a training."""
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--model", task, "--data", data, *ROOTS.get(data, ["--data.root", "nowhere"]), "--print_config"])
    assert stop.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize(("task", "data"), PAIRS)
def test_the_reference_has_every_key_of_a_config(
    task: str, data: str, anchors: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = keys_of_config(task, data, capsys)
    wanted = {f"fit.{key}" for key in config if key not in ("model", "data", "trainer")}
    wanted |= {f"RunTrainer.{key}" for key in config["trainer"]}
    wanted |= {f"{task}.{key}" for key in config["model"]["init_args"]}
    wanted |= {f"{data}.{key}" for key in config["data"]["init_args"]}
    assert len(wanted) > 50
    assert wanted - anchors == set()


def test_the_reference_has_every_argument_of_the_callbacks(anchors: set[str]) -> None:
    callbacks = [one for one in exported() if issubclass(one, Callback)]
    wanted = {f"{one.__name__}.{name}" for one in callbacks for name in signature(one).parameters}
    assert {"MaskWriter.output", "WeightAverage.decay"} <= wanted
    assert wanted - anchors == set()


def test_the_reference_has_the_keys_of_values(anchors: set[str]) -> None:
    assert {f"Mixing.{field.name}" for field in fields(Mixing)} <= anchors


def test_every_task_and_datamodule_of_the_package_is_among_the_pairs() -> None:
    public = {name for name in lightning_seg.__all__ if name.endswith(("Task", "DataModule"))}
    assert {name for pair in PAIRS for name in pair} == public


def test_a_key_has_its_type_default_and_meaning(site: dict[Path, Page]) -> None:
    page = next(path for path in site if path.match("reference/config/tasks.html")).read_text("utf-8")
    row = re.search(r'<tr>\s*<td><a id="UNetTask.padding_mode"></a>(.*?)</tr>', page, re.DOTALL)
    assert row
    cells = re.findall(r"<td>(.*?)</td>", f"<td>{row[1]}", re.DOTALL)
    assert cells[:3] == ["<code>padding_mode</code>", "'zeros' or 'reflect'", "<code>zeros</code>"]
    assert "mirrored picture" in cells[3]


def test_the_reference_has_the_flags_that_help_lists(site: dict[Path, Page]) -> None:
    commands = next(path for path in site if path.match("reference/commands.html")).read_text("utf-8")
    for flag in ("--early_stopping", "--variant", "--num_trainval", "--quantize"):
        assert flag in commands
    assert re.search(r"[\x00-\x08]", commands) is None


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("[a](nothing.md)", "nothing.md"),
        ("[a](#no-part)", "#no-part"),
        ("[`a`][lightning_seg.NoSuchTask]", "lightning_seg.NoSuchTask"),
        ("::: lightning_seg.NoSuchTask", "lightning_seg.NoSuchTask"),
    ],
)
def test_what_leads_nowhere_ends_the_build(
    page: str, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(f"# A page\n\n{page}\n")
    alone: dict[str, Any] = {"docs_dir": str(docs), "hooks": [], "nav": None, "watch": []}
    with pytest.raises(Abort):
        made(tmp_path / "site", **alone)
    assert said in caplog.text
