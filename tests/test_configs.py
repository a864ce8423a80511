"""Configs by name: what comes with the package, and what wins over it."""

import logging
from pathlib import Path

import pytest

from lightning_seg import configs
from lightning_seg.arguments import read_config
from lightning_seg.configs import describe_shipped, find_config, read_shipped
from lightning_seg.errors import ConfigError

FOLDER = Path(__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_config_has_a_name_and_opens_with_a_sentence() -> None:
    described = dict(describe_shipped())
    files = {str(path.relative_to(FOLDER)).removesuffix(".yaml") for path in FOLDER.rglob("*.yaml")}
    assert described.keys() == files >= {"pets", "overrides/demo", "variants/flowers_none"}
    assert described["pets"] == "Oxford-IIIT Pet with MobileNetV2-UNet: our recommended recipe."
    assert [name for name, sentence in described.items() if not sentence.endswith((".", ":"))] == []
    # Systems come before what is laid over them.
    assert [name for name in described if "/" not in name] == sorted(name for name in files if "/" not in name)
    assert ["/" in name for name in described] == sorted("/" in name for name in described)


def test_a_name_is_found_from_anywhere() -> None:
    assert find_config("pets") == FOLDER / "pets.yaml"
    assert find_config("overrides/demo").read_text() == read_shipped("overrides/demo")
    assert read_config("pets")["model"]["class_path"] == "MobileNetV2UNetTask"


@pytest.mark.parametrize("file", ["pets", "pets.yaml", "pets.yml"])
def test_a_file_of_the_user_wins_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    (tmp_path / file).write_text("seed_everything: 3\n")
    configs._tell.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert [find_config("pets").name for _ in range(2)] == [file, file]
    assert read_config("pets") == {"seed_everything": 3}
    assert read_shipped("pets").startswith("# Oxford-IIIT Pet")
    assert caplog.messages == [f"pets: {file} is read, not the config of this name that comes with the package"]


def test_a_path_is_what_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mine.yaml").write_text("seed_everything: 3\n")
    assert find_config("mine.yaml") == Path("mine.yaml")
    assert find_config("mine") == Path("mine.yaml")
    assert find_config(tmp_path / "mine.yaml") == tmp_path / "mine.yaml"
    assert find_config(FOLDER / "pets.yaml") == FOLDER / "pets.yaml"
    assert caplog.messages == []


def test_a_folder_of_the_same_name_is_no_config(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "mine").mkdir()
    assert find_config("pets") == FOLDER / "pets.yaml"
    with pytest.raises(ConfigError, match="mine: a folder, a pipe or a device, and no config"):
        read_config("mine")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("peets", "peets: no such config; did you mean pets? lightning-seg configs lists all names"),
        ("overides/demo", "did you mean overrides/demo? "),
        ("demo", "did you mean overrides/demo? "),
        # What a page says that was read in a checkout.
        ("configs/pets.yaml", "configs/pets.yaml: no such config; did you mean pets? "),
        ("configs/overrides/demo.yaml", "did you mean overrides/demo? "),
        ("pets.yaml", "did you mean pets? "),
        ("own_data.yml", "did you mean own_data? "),
        ("nothing_like_it", "give the path of a YAML file, or a name; lightning-seg configs lists all names"),
        ("x" * 5000, "give the path of a YAML file"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(given: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        find_config(given)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_beside_it_is_nearer_than_a_name(tmp_path: Path) -> None:
    (tmp_path / "pest.yaml").touch()
    with pytest.raises(ConfigError, match=r"^pets\.yaml: no such config; did you mean pest\.yaml\?"):
        find_config("pets.yaml")


def test_a_text_that_is_no_name_comes_from_no_other_folder() -> None:
    for given in ("../pyproject", "../configs/pets", "/pets", "overrides"):
        with pytest.raises(ConfigError):
            find_config(given)
    with pytest.raises(ConfigError, match="no config of this name comes with the package; did you mean pets"):
        read_shipped("pet")
