"""What a folder remembers, and who works in it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_seg.comparison.folder import hold, keep_plan
from lightning_seg.comparison.plan import Plan, make_plan
from lightning_seg.errors import ConfigError, DataError

HOLDER = """
import sys, time
from pathlib import Path
from lightning_seg.comparison.folder import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def config(augment: Any = False, max_epochs: int = 5, **data: Any) -> dict[str, Any]:
    """What a variant would be trained with."""
    return {
        "trainer": {"max_epochs": max_epochs},
        "data": {"class_path": "lightning_seg.CarvanaDataModule", "init_args": {"augment": augment, **data}},
    }


def plan_in(folder: Path) -> Plan:
    return make_plan(["a.yaml"], ["none", "flips:flips.yaml"], 2, str(folder), [])


def begin(plan: Plan, variant: str) -> Path:
    """What fit leaves after the first epoch."""
    run = plan.folder(variant) / "seed_0"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").touch()
    (run / "checkpoints" / "last.ckpt").touch()
    return run


def test_a_changed_variant_is_refused_once_an_epoch_of_it_has_ended(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "out")
    keep_plan(plan, {"none": config(), "flips": config("flop")})
    # A mistake in the first attempt, of which the config may be there and no epoch.
    last = begin(plan, "flips") / "checkpoints" / "last.ckpt"
    last.unlink()
    keep_plan(plan, {"none": config(), "flips": config("flip")})
    last.touch()
    before = (plan.output / "plan.json").read_text()
    with pytest.raises(
        ConfigError,
        match=r"variant flips was begun with data.augment flip, now it has true; give another --output, or the variant",
    ):
        keep_plan(plan, {"none": config(), "flips": config(True)})
    assert (plan.output / "plan.json").read_text() == before


def test_longer_runs_are_other_runs(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "out")
    keep_plan(plan, {"none": config()})
    begin(plan, "none")
    with pytest.raises(ConfigError, match=r"max_epochs 5, now it has 9; a longer run is another one.*another --output"):
        keep_plan(plan, {"none": config(max_epochs=9)})


def test_variants_can_be_added_and_left_out(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "out")
    # JSON would make a string of the key.
    codes = config("flip", mask_values={0: 1})
    keep_plan(plan, {"none": config(), "flips": codes, "never": config(True)})
    for name in ("none", "flips"):
        begin(plan, name)
    keep_plan(plan, {"flips": codes, "more": config("flip_affine_colour")})
    keep_plan(plan, {"none": config(num_workers=0), "flips": codes})
    assert list(json.loads((plan.output / "plan.json").read_text())["variants"]) == ["none", "flips"]


@pytest.mark.parametrize("text", ["{}", '{"variants": [1]}', '{"variants": {"none": 3}}'])
def test_another_file_of_its_name_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(DataError, match=r"plan.json: no plan of a comparison; give another --output$"):
        keep_plan(plan_in(tmp_path), {"none": config()})


def test_a_plan_that_was_cut_off_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"variants": {"none"')
    with pytest.raises(DataError, match=r"plan.json: no valid JSON .*; give another --output"):
        keep_plan(plan_in(tmp_path), {"none": config()})


@pytest.mark.parametrize("name", ["tensorboard", "comparison.md", "runs"])
def test_files_of_the_user_are_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with (
        pytest.raises(ConfigError, match=rf"it holds {name}, but no plan\.json; give another --output"),
        hold(tmp_path),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_a_folder_is_held_until_its_process_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(ConfigError, match=f"another comparison, process {other.pid} on .+, is at work there"),
            hold(tmp_path),
        ):
            pass
        other.kill()
        other.wait()
        # Its lock file is still there.
        with hold(tmp_path):
            pass
