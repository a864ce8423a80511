"""Files for other places: the container, the citation, the templates of issues, the CI of other hosts."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

import lightning_seg
from lightning_seg.__main__ import main

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEMPLATES = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
IMAGE = re.compile(r"(?:[a-z0-9_-]+/)?[a-z0-9_-]+(?::[\w.-]+)?")
"""Of an image without the address of a host, which would have a dot or a port before its first slash."""
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, each in one piece."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in whole.splitlines() if line.strip()]


def said(name: str) -> list[str]:
    return [rest for kind, rest in instructions() if kind == name]


def copied() -> dict[str, str]:
    """What the container is built from: files and folders with their places."""
    places: dict[str, str] = {}
    for line in said("COPY"):
        *sources, target = line.split()
        places |= {source: source if target == "./" else target for source in sources}
    return places


def test_the_base_of_the_container_is_an_argument_and_a_plain_name() -> None:
    assert said("FROM") == ["${BASE}"]
    (base,) = said("ARG")
    name, _, default = base.partition("=")
    assert name == "BASE"
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "docs" / "docker.md").read_text()
    bases = [default, *re.findall(r"--build-arg BASE=(\S+)", text)]
    assert len(bases) == 3
    assert [one for one in bases if not IMAGE.fullmatch(one)] == []
    assert not IMAGE.fullmatch("host.org/python:3.11")


def test_the_container_starts_with_the_demo_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (flags,) = re.findall(r"^DEMO := (.*)$", makefile, flags=re.MULTILINE)
    recipe = re.findall(r"^\t\$\(BIN\)/(lightning-seg .*)$", makefile, flags=re.MULTILINE)
    demo = [re.sub(r"configs/([\w/]+)\.yaml", r"\1", line.replace("$(DEMO)", flags)) for line in recipe]
    shell, option, command = json.loads(said("CMD")[0])
    assert (shell, option) == ("sh", "-c")
    assert command.split(" && ") == demo
    assert len(demo) == 2


def test_the_command_of_the_container_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    first = json.loads(said("CMD")[0])[2].split(" && ")[0]
    with pytest.raises(SystemExit) as stop:
        main([*first.split()[1:], "--print_config"])
    assert stop.value.code == 0
    assert "source: synthetic" in capsys.readouterr().out


def test_the_shell_understands_the_steps_of_the_container() -> None:
    steps = [*said("RUN"), json.loads(said("CMD")[0])[2]]
    assert len(steps) == 5
    for step in steps:
        subprocess.run(["sh", "-n", "-c", step], check=True)
    # Python is there already, so nothing is asked of a package manager.
    asked, _, otherwise = steps[0].partition("||")
    assert "apt-get install" in otherwise
    assert subprocess.run(["sh", "-c", asked], check=False).returncode == 0


def test_the_ignored_files_leave_what_the_container_is_built_from() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    assert kept == set(copied())
    assert [name for name in kept if not (ROOT / name).exists()] == []
    ignored = [rule for rule in rules[1:] if not rule.startswith("!")]
    assert any(fnmatch("lightning_seg/__pycache__", rule) for rule in ignored)


def test_what_is_copied_into_the_container_is_enough_to_install_the_package(tmp_path: Path) -> None:
    for source, target in copied().items():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, tmp_path / target)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = set(ZipFile(tmp_path / done.stdout.split()[-1]).namelist())
    assert {"lightning_seg/__main__.py", "lightning_seg/shipped_configs/overrides/demo.yaml"} <= names
    (install,) = (line for line in said("RUN") if "pip install" in line)
    assert "--constraint constraints.txt ." in install
    assert "constraints.txt" in copied()


def test_the_citation_is_complete() -> None:
    """Fields of the Citation File Format 1.2."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation), "which the format demands"
    known = {"cff-version", "message", "type", "title", "abstract", "version", "license", "authors", "keywords"}
    assert set(citation) <= known
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    assert citation["version"] == lightning_seg.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["title"] == PROJECT["name"]
    assert citation["keywords"] == PROJECT["keywords"]
    # A person has other names than an organisation.
    assert all(author.keys() & {"name", "family-names"} for author in citation["authors"])


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_of_issues_has_what_its_form_needs(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= set(form)
    fields: list[dict[str, Any]] = form["body"]
    assert len({field["id"] for field in fields}) == len(fields)
    for field in fields:
        assert field["type"] in ("textarea", "input", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_there_are_templates_for_errors_data_and_ideas() -> None:
    assert {path.stem for path in TEMPLATES} == {"error", "data", "idea"}


def commands_of(steps: Any) -> list[str]:
    """Every line that a CI file runs."""
    if isinstance(steps, dict):
        own = [steps["run"]] if isinstance(steps.get("run"), str) else []
        scripts = [line for line in steps.get("script", ()) if isinstance(line, str)]
        rest = [value for name, value in steps.items() if name not in ("run", "script")]
        return [*own, *scripts, *commands_of(rest)]
    return [line for one in steps for line in commands_of(one)] if isinstance(steps, list) else []


@pytest.mark.parametrize("name", [".gitlab-ci.yml", ".github/workflows/test.yml"])
def test_a_ci_of_other_hosts_calls_the_commands_of_the_readme(name: str) -> None:
    content = yaml.safe_load((ROOT / name).read_text())
    commands = commands_of(content)
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^(\w+):", makefile, flags=re.MULTILINE)
    assert {"make test", "make docs"} <= set(commands)
    assert [one for one in commands if one.removeprefix("make ") not in targets] == []
    images = re.findall(r"^ *image: (\S+)", (ROOT / name).read_text(), flags=re.MULTILINE)
    assert [one for one in images if not IMAGE.fullmatch(one)] == []


@pytest.mark.parametrize(
    "name", ["Dockerfile", ".dockerignore", ".gitlab-ci.yml", ".github", "CITATION.cff", "docs/docker.md"]
)
def test_no_address_of_a_registry_is_named(name: str) -> None:
    paths = [path for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file()]
    assert paths
    assert [path for path in paths if re.search(r"https?://|index-url|\.io/|registry", path.read_text())] == []
