"""What fit would run with, without running it."""

from pathlib import Path

import pytest

from lightning_seg.cli.resolving import resolve_config
from lightning_seg.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
NO_AUGMENTATION = str(CONFIGS / "overrides" / "no_augmentation.yaml")


@pytest.mark.parametrize("name", ["pets", "own_data", "own_classes", "carvana", "flowers", "dogs"])
def test_no_augmentation_can_be_laid_over_every_config(name: str) -> None:
    config = str(CONFIGS / f"{name}.yaml")
    plain = resolve_config(["--config", config, "--data.mixing", "{kind: cutmix}"])
    without = resolve_config(["--config", config, "--data.seed", "3", "--config", NO_AUGMENTATION])
    assert without["data"]["class_path"] == plain["data"]["class_path"]
    assert plain["data"]["init_args"]["augment"] is not False
    assert (without["data"]["init_args"]["augment"], without["data"]["init_args"]["mixing"]) == (False, None)
    assert without["data"]["init_args"]["seed"] == 3
    assert without["trainer"]["max_epochs"] == plain["trainer"]["max_epochs"] > 0


def test_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Built, the data would be missed and the weights downloaded.
    values = resolve_config(["--config", str(CONFIGS / "pets.yaml"), "--data.root", "nowhere"])
    assert values["data"]["init_args"]["root"] == "nowhere"
    assert values["model"]["init_args"]["encoder_weights"] == "imagenet"
    assert not list(tmp_path.iterdir())


def test_a_mistake_is_raised_with_the_parsers_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"^Option 'rot' is not accepted; did you mean --data.root\?$"):
        resolve_config(["--config", str(CONFIGS / "pets.yaml"), "--data.rot", "x"])
    assert capsys.readouterr().err == ""
