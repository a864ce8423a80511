"""The package as it is installed: built, unpacked where no checkout is, and used from an empty folder."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
from email import message_from_string
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

import lightning_seg
from tests.test_readme import linked_files

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LEFT_OUT = (".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "data", "shared")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
DEMO = ["--config", "pets", "--config", "overrides/demo"]
SMALL = [
    *("--data.image_size", "32", "--data.batch_size", "4", "--data.num_workers", "0", "--trainer.accelerator", "cpu"),
    *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.enable_progress_bar", "false"),
]


def run(words: list[str], folder: Path) -> str:
    """What a program prints, which sees nothing of this checkout."""
    hidden = {"PYTHONPATH", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source distribution, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("built")
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*LEFT_OUT))
    source = folder / run([sys.executable, "-c", BUILD, "build_sdist", str(folder)], checkout).split()[-1]
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / source.name.removesuffix(".tar.gz")
    wheel = folder / run([sys.executable, "-c", BUILD, "build_wheel", str(folder)], unpacked).split()[-1]
    return {"source": source, "unpacked": unpacked, "wheel": wheel}


@pytest.fixture(scope="module")
def installed(built: dict[str, Path]) -> Path:
    """The programs of an environment with the wheel and the libraries of this one, but without this checkout."""
    pytest.importorskip("pip")
    environment = built["wheel"].with_name("environment")
    venv.create(environment, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    run([*pip, "--quiet", "--no-deps", "--no-index", str(built["wheel"])], built["wheel"].parent)
    # Behind the wheel's own folder. What this one has installed as editable is not seen: it would need its own .pth.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_the_wheel_holds_every_module_every_config_and_all_templates(built: dict[str, Path]) -> None:
    names = {name for name in ZipFile(built["wheel"]).namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "lightning_seg").rglob("*.py")}
    configs = {str(path.relative_to(ROOT / "configs")) for path in (ROOT / "configs").rglob("*.yaml")}
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "lightning_seg").rglob("*.html")}
    others = {"lightning_seg/py.typed", "lightning_seg/pages/templates/page.html"}
    assert names == modules | templates | {f"lightning_seg/shipped_configs/{name}" for name in configs} | others


def test_the_source_distribution_can_test_itself(built: dict[str, Path]) -> None:
    for name in ("configs", "docs", "tests", "benchmarks", "notebooks", "tools", "lightning_seg", "website"):
        files = {
            path.relative_to(ROOT)
            for path in (ROOT / name).rglob("*.*")
            if path.suffix in (".py", ".md", ".yaml", ".html")
        }
        wanted = [file for file in files if not file.is_relative_to("tests/fixtures")]
        assert [file for file in wanted if not (built["unpacked"] / file).is_file()] == []
    assert not (built["unpacked"] / "tests/fixtures").exists(), "checkpoints, whose tests are skipped then"
    texts = ("constraints.txt", "requirements-onnx.txt", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE")
    for file in (*texts, "Makefile", "mkdocs.yml", "setup.py"):
        assert (built["unpacked"] / file).is_file()


def test_the_description_leads_nowhere_that_is_not_there(built: dict[str, Path]) -> None:
    with ZipFile(built["wheel"]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_string(wheel.read(name).decode())
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = str(metadata.get_payload())
    assert "docs/compare.md" in text
    assert "](#your-own-classes)" in text
    assert linked_files((ROOT / "README.md").read_text())
    assert linked_files(text) == []


def test_it_works_from_an_empty_folder(installed: Path, pets_root: Path, tmp_path: Path) -> None:
    command = str(installed / "lightning-seg")
    place = run([str(installed / "python"), "-c", "import lightning_seg; print(lightning_seg.__file__)"], tmp_path)
    assert Path(place.strip()).is_relative_to(installed.parent)
    assert run([command, "--version"], tmp_path).startswith(f"lightning-seg {lightning_seg.__version__} (torch ")
    assert "overrides/demo" in run([command, "configs"], tmp_path)

    printed = run([command, "fit", *DEMO, *SMALL, "--data.root", str(pets_root)], tmp_path)

    assert printed.splitlines()[-1] == "runs/pets/version_0"
    assert (tmp_path / "runs/pets/version_0/checkpoints/best.ckpt").is_file()
    (picture, *_) = (pets_root / "images").glob("*.jpg")
    run([command, "predict", "--run", "runs/pets", "--images", str(picture), "--output", "out"], tmp_path)
    assert [path.stem for path in (tmp_path / "out" / "masks").iterdir()] == [picture.stem]


def test_an_editable_installation_reads_the_configs_of_its_checkout(tmp_path: Path) -> None:
    pytest.importorskip("pip")
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*LEFT_OUT, "tests", "docs", "notebooks"))
    venv.create(tmp_path / "environment", with_pip=False)
    python = str(tmp_path / "environment" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    (site,) = (tmp_path / "environment").glob("lib/python*/site-packages")
    # To be built there, setuptools has to be there, too.
    (site / "setuptools.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run([*pip, "--no-build-isolation", "--ignore-installed", "--editable", str(checkout)], tmp_path)
    (checkout / "configs" / "newest.yaml").write_text("# The newest one.\n")
    printed = run([str(Path(python).with_name("lightning-seg")), "configs"], tmp_path)
    assert re.search(r"^newest +The newest one\.$", printed, re.MULTILINE)


@pytest.mark.slow
def test_it_installs_from_nothing(built: dict[str, Path], tmp_path: Path) -> None:
    """The tested versions, over a network; seven gigabytes."""
    venv.create(tmp_path / "environment", with_pip=True)
    python = str(tmp_path / "environment" / "bin" / "python")
    reached = subprocess.run(
        [python, "-m", "pip", "download", "--no-deps", "--dest", str(tmp_path), "pyyaml"],
        capture_output=True,
        check=False,
    )
    if reached.returncode:
        pytest.skip("no package index can be reached")
    wheel = built["wheel"]
    run(
        [python, "-m", "pip", "install", "--constraint", str(ROOT / "constraints.txt"), f"{wheel}[completion]"],
        tmp_path,
    )
    run([python, "-m", "pip", "check"], tmp_path)
    command = str(Path(python).with_name("lightning-seg"))
    run([command, "synthesize", "oxford_pets", "pets", "--num_trainval", "24", "--num_test", "8"], tmp_path)
    run([command, "fit", *DEMO, *SMALL, "--data.root", "pets"], tmp_path)
    assert "lightning-seg" in run([command, "completion", "bash"], tmp_path)


@pytest.mark.slow
def test_an_exported_model_predicts_where_torch_is_not_installed(
    built: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel without its dependencies, ``requirements-onnx.txt`` and, for the page, Gradio, over a network."""
    from tests.app.opened import address_in, fetch, opened
    from tests.serving.onnx_files import write_masks

    venv.create(tmp_path / "environment", with_pip=True)
    python = str(tmp_path / "environment" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    reached = subprocess.run([*pip, "tqdm"], capture_output=True, check=False)
    if reached.returncode:
        pytest.skip("no package index can be reached")
    run([*pip, "--no-deps", str(built["wheel"])], tmp_path)
    run([*pip, "--requirement", str(ROOT / "requirements-onnx.txt")], tmp_path)
    assert "torch" not in run([python, "-m", "pip", "list"], tmp_path)
    write_masks(tmp_path / "m.onnx")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "photo.png")
    command = str(Path(python).with_name("lightning-seg"))
    run([command, "predict", "--model", "m.onnx", "--images", "photo.png", "--output", "out"], tmp_path)
    assert Image.open(tmp_path / "out" / "masks" / "photo.png").size == (30, 20)
    ask = "from lightning_seg import Predictor; print(Predictor.from_file('m.onnx')('photo.png').mask.shape)"
    assert run([python, "-c", ask], tmp_path).strip() == "(20, 30)"
    monkeypatch.delenv("PYTHONPATH", raising=False)
    run([*pip, "--constraint", str(ROOT / "constraints.txt"), "gradio"], tmp_path)
    with opened("--model", str(tmp_path / "m.onnx"), folder=tmp_path / "temporary", command=[command]) as (_, said):
        assert "m.onnx" in fetch(address_in(said) + "config")
    assert "torch" not in run([python, "-m", "pip", "list"], tmp_path)


def test_what_an_exported_model_needs_has_the_ranges_of_the_package() -> None:
    lines = (ROOT / "requirements-onnx.txt").read_text().splitlines()
    needed = {line for line in lines if line and not line.startswith("#")}
    declared = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["onnx"]}
    assert {"numpy>=1.26", "onnxruntime>=1.22"} <= needed <= declared


def imported_packages() -> set[str]:
    names: set[str] = set()
    for path in (ROOT / "lightning_seg").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"lightning_seg"}


def plain(name: str) -> str:
    """The same for all ways to write the name of a distribution."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_whatever_is_imported_is_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *extras["completion"], *extras["onnx"], *extras["app"]]
    declared = {plain(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines}
    providers = packages_distributions()
    for package in sorted(imported_packages()):
        # lightning_fabric comes within pytorch-lightning, for instance; what is optional need not be installed.
        assert {plain(name) for name in providers.get(package, [package])} & declared, (
            f"{package} is imported and not declared"
        )
    assert {"yaml", "pydantic", "cv2", "PIL"} <= imported_packages()


def test_what_the_tests_are_run_with_is_named_with_its_version() -> None:
    named = {plain(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text().split()}
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *extras["onnx"], *extras["app"], *extras["dev"]]
    lines = [line for line in (*lines, *extras["docs"]) if not line.startswith("lightning_seg[")]
    assert {plain(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines} <= named
