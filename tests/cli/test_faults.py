"""What is typed and what stands in files: refused, taken and explained alike, whatever the class."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from lightning_seg.__main__ import main
from lightning_seg.arguments import RunArguments
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder

CPU = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
ONE_STEP = [*CPU, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
Mistake = Callable[[list[str]], str]
OWN = """
from pathlib import Path
import pytorch_lightning as pl
from torch import Tensor, nn
from lightning_seg import ImageMaskFolderDataModule, OxfordPetsDataModule, SlidingDetectorTask
from lightning_seg.tasks.segmentation import SegmentationTask

class Net(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x)

class MyTask(SegmentationTask):
    def __init__(self, num_classes: int, lr: float = 0.01) -> None:
        super().__init__(Net(num_classes), num_classes, lr=lr)

class MyDetector(SlidingDetectorTask):
    pass

class MyFolder(ImageMaskFolderDataModule):
    def __init__(self, root: str, classes: list[str], fold: str = "a.txt", num_workers: int = 0) -> None:
        lists = {"val_list": "val.txt", "test_list": fold}
        super().__init__(root, classes, **lists, image_size=32, num_workers=num_workers, batch_size=4)

class Plain(pl.LightningDataModule):
    def __init__(self, root: str, seed: int = 0) -> None:
        super().__init__()
        self.data = OxfordPetsDataModule(root, image_size=32, num_workers=0, batch_size=4, seed=seed)

    def setup(self, stage: str) -> None:
        self.data.setup(stage)

    def train_dataloader(self):
        return self.data.train_dataloader()

    def val_dataloader(self):
        return self.data.val_dataloader()

    def test_dataloader(self):
        return self.data.test_dataloader()
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    # The folder is made importable, and its module stays known.
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_code.py").write_text(OWN)
    yield tmp_path
    sys.modules.pop("my_code", None)


def data(root: Path, kind: str = "OxfordPetsDataModule", *more: str) -> list[str]:
    size = ["--data.image_size", "32", "--data.batch_size", "4", "--data.num_workers", "0"]
    return ["--data", kind, "--data.root", str(root), *size, *more]


UNET = ["--model", "MobileNetV2UNetTask", "--model.encoder_weights", "null", "--model.freeze_encoder", "false"]


@pytest.mark.parametrize("way", ["typed", "nested", "dotted", "json"])
@pytest.mark.parametrize("number", [7, 3])
def test_another_number_of_classes_than_the_data_has_is_refused_wherever_it_stands(
    mistake: Mistake, work: Path, pets_root: Path, way: str, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    contents = {
        "nested": {"model": {"class_path": "MobileNetV2UNetTask", "init_args": {"num_classes": number}}},
        "dotted": {"model.class_path": "MobileNetV2UNetTask", "model.init_args.num_classes": number},
    }
    flags = {
        "typed": ["--model.num_classes", str(number)],
        "json": ["--model", json.dumps({"class_path": "MobileNetV2UNetTask", "init_args": {"num_classes": number}})],
    }
    words = ["fit", *data(pets_root), *ONE_STEP, *UNET]
    if way in contents:
        (work / "classes.yaml").write_text(yaml.safe_dump(contents[way]))
        words += ["--config", "classes.yaml"]
    else:
        words += flags[way]
    if number == 7:
        assert "model.num_classes 7 is not 3, which the data says; leave it out" in mistake(words)
    else:
        assert main(words) == 0
    capfd.readouterr()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_general_task_and_an_own_one_get_the_number_of_classes_from_the_data(
    work: Path, pets_root: Path, workers: str
) -> None:
    general = ["--model", "SegmentationTask", "--model.model", "my_code.Net"]
    for number, model in enumerate((general, ["--model", "my_code.MyTask"])):
        words = ["fit", *model, *data(pets_root), "--data.num_workers", workers, *ONE_STEP]
        assert main([*words, "--run_folder", f"run_{number}"]) == 0
        config = yaml.safe_load(Path(f"run_{number}/config.yaml").read_text())
        assert "num_classes" not in config["model"]["init_args"]


def test_a_list_that_holds_training_pictures_is_refused_and_another_is_not(
    mistake: Mistake, work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image_mask_folder("own", num_pictures=16)
    stems = sorted(path.stem for path in Path("own/images").iterdir())
    # What is in neither list trains.
    parts = {"val": stems[1::4], "a": stems[2::4], "half": stems[2::8], "mixed": [*stems[2::8], *stems[3::4]]}
    for name, names in parts.items():
        Path(f"own/{name}.txt").write_text("\n".join(names))
    root = ["--data.root", "own", "--data.classes", "[background, disc, box, star]"]
    ours = ["--data", "ImageMaskFolderDataModule", *root, "--data.val_list", "val.txt"]
    ours += ["--data.image_size", "32", "--data.num_workers", "0"]
    own = ["--data", "my_code.MyFolder", *root]
    for name, words, argument in (("ours", [*ours, "--data.test_list", "a.txt"], "test_list"), ("own", own, "fold")):
        assert main(["fit", *UNET, *words, *ONE_STEP, "--run_folder", name]) == 0
        test = ["test", "--run", name, *CPU, *(["--data", "my_code.MyFolder"] if name == "own" else [])]
        assert main([*test, f"--data.{argument}", "half.txt"]) == 0
        capfd.readouterr()
        line = mistake([*test, f"--data.{argument}", "mixed.txt"])
        count = (
            f"{len(stems[3::4])} of {len(parts['mixed'])} pictures of test are among those that the run has trained on"
        )
        assert f"data.{argument} mixed.txt instead of a.txt: {count}" in line
        assert f"own/images/{stems[3]}." in line


@pytest.mark.parametrize("task", ["SlidingDetectorTask", "my_code.MyDetector"])
def test_a_detector_keeps_its_classes_also_as_a_class_of_ones_own(
    mistake: Mistake, work: Path, pets_root: Path, task: str
) -> None:
    """ImageNet's classes are no species, so nothing can be compared."""
    words = ["validate", "--model", task, "--model.weights", "numpy:0", *data(pets_root, "OxfordPetLabelsDataModule")]
    line = mistake([*words, "--original_size", "true", *CPU])
    assert "'cat' is a class of the data and none of the detector's labels" in line


@pytest.mark.parametrize(
    "flags", [["--trainer.devices", "-1"], ["--trainer.devices=-1"], ["--trainer.limit_val_batches", "-1.5e-3"]]
)
def test_preview_leaves_numbers_below_zero_to_their_flags(
    work: Path, pets_root: Path, flags: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", *data(pets_root), *flags, "--num_images", "2", "--output", "sheet.png"]) == 0
    assert f"left aside, since they do not change the data: {flags[0].partition('=')[0]}" in capfd.readouterr().out
    assert (work / "sheet.png").is_file()


def test_a_threshold_changes_masks_and_keeps_the_loss(
    work: Path, carvana_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--model",
        "UNetTask",
        "--model.width",
        "4",
        "--model.depth",
        "2",
        *data(carvana_root, "CarvanaDataModule"),
    ]
    assert main(["fit", *words, *ONE_STEP, "--run_folder", "run"]) == 0
    measured = []
    for threshold in ([], ["--threshold", "0.5"], ["--threshold", "0.9"], ["--tta", "hflip"]):
        assert main(["test", "--run", "run", *CPU, *threshold]) == 0
        measured.append(json.loads(Path("run/metrics.json").read_text()))
        record = measured[-1]
        Path("run/metrics.json").unlink()
        assert ("test/loss" in record) == (threshold[:1] != ["--tta"])
        assert 0 < record["test/average_precision"] <= 1
    assert measured[1]["test/loss"] == measured[0]["test/loss"] == measured[2]["test/loss"]
    assert measured[1]["test/average_precision"] == measured[0]["test/average_precision"]
    assert measured[1]["test/miou"] == pytest.approx(measured[0]["test/miou"], abs=1e-4)
    assert measured[2]["test/iou/car"] != measured[0]["test/iou/car"]
    capfd.readouterr()


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--epochs", "5"], "did you mean --trainer.max_epochs?"),
        (["--optimizer", "AdamW"], "did you mean --model.optimizer?"),
        (["--lr", "0.1"], "did you mean --model.lr?"),
        (["--batch_size", "4"], "did you mean --data.batch_size?"),
        (["--max_epochs", "4"], "did you mean --trainer.max_epochs?"),
        (["--workers", "4"], "did you mean --data.num_workers?"),
        (["--runfolder", "x"], "did you mean --run_folder?"),
    ],
)
def test_flags_that_miss_their_section_are_pointed_to_it(
    mistake: Mistake, pets_root: Path, flags: list[str], hint: str
) -> None:
    assert hint in mistake(["fit", *UNET, *data(pets_root), *flags])


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"model": {"class_path": "MobileNetV2UNetTask", "init_args": {"lrr": 0.1}}}, "lrr"),
        ({"data": {"class_path": "OxfordPetsDataModule", "init_args": {"rot": "x"}}}, "rot"),
        ({"trainer": {"max_epoch": 3}}, "max_epoch"),
        ({"seed": 3}, "seed"),
    ],
)
def test_a_word_that_does_not_exist_is_named_with_its_file(
    mistake: Mistake, work: Path, pets_root: Path, content: dict[str, object], name: str
) -> None:
    (work / "good.yaml").write_text("trainer: {max_epochs: 1}")
    (work / "typo.yaml").write_text(yaml.safe_dump(content))
    line = mistake(["fit", *UNET, *data(pets_root), "--config", "good.yaml", "--config", "typo.yaml"])
    assert line.startswith("lightning-seg: error: typo.yaml: ")
    assert name in line


def test_help_lists_the_arguments_of_the_classes_with_what_the_config_says(
    work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = {"class_path": "MobileNetV2UNetTask", "init_args": {"lr": 0.025}}
    (work / "own.yaml").write_text(yaml.safe_dump({"model": model, "data": "OxfordPetsDataModule"}))
    for command in ("fit", "validate", "test", "predict"):
        assert main([command, "--config", "own.yaml", "--help"]) == 0
        said = " ".join(capfd.readouterr().out.split())
        assert "--model.lr LR learning rate. (type: float, default: 0.025)" in said
        for flag in ("--data.batch_size", "--trainer.max_epochs", "--run ", "--early_stopping", "--ckpt_path"):
            assert f"{flag}" in said
        assert ("--threshold" in said) == (command != "fit")
        assert ("--images" in said) == (command == "predict")
        assert ":paramref:" not in said
        assert "known subclasses" not in said
    assert main(["fit", "--help"]) == 0
    said = capfd.readouterr().out
    assert "--model CLASS, for instance " in said
    assert "MobileNetV2UNetTask" in said


@pytest.mark.parametrize(
    "door",
    [
        pytest.param(["-m", "lightning_seg"], marks=pytest.mark.slow),
        ["-c", "import sys; sys.path.pop(0); from lightning_seg.__main__ import main; sys.exit(main())"],
    ],
)
def test_a_class_in_the_working_folder_is_found_and_its_own_mistake_is_told(
    work: Path, pets_root: Path, door: list[str]
) -> None:
    """The script that an installation makes does not look into the working folder by itself."""
    words = ["fit", "--model", "my_code.MyTask", *data(pets_root), *ONE_STEP, "--run_folder", "run"]
    done = subprocess.run([sys.executable, *door, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (work / "broken.py").write_text("import nowhere_to_be_found\n")
    words[2] = "broken.MyTask"
    failed = subprocess.run([sys.executable, *door, *words], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert "nowhere_to_be_found" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr


def test_variants_of_an_own_datamodule_that_divides_otherwise_are_not_compared(mistake: Mistake, work: Path) -> None:
    write_image_mask_folder("own", num_pictures=16)
    stems = sorted(path.stem for path in Path("own/images").iterdir())
    for name, names in {"val": stems[1::4], "a": stems[2::4], "b": stems[3::4]}.items():
        Path(f"own/{name}.txt").write_text("\n".join(names))
    classes = ["background", "disc", "box", "star"]
    for name in ("a", "b"):
        data = {
            "class_path": "my_code.MyFolder",
            "init_args": {"root": "own", "classes": classes, "fold": f"{name}.txt"},
        }
        Path(f"{name}.yaml").write_text(yaml.safe_dump({"data": data}))
    Path("model.yaml").write_text(yaml.safe_dump({"model": {"class_path": "my_code.MyTask"}}))
    variants = ["--variant", "a:a.yaml", "--variant", "b:b.yaml"]
    line = mistake(["compare", "model.yaml", *variants, "--seeds", "1", "--output", "out", *ONE_STEP])
    assert "variants a and b do not see the same pictures: of " in line
    assert not list(Path("out").rglob("*.ckpt"))


def test_the_config_of_a_run_is_built_no_further_than_it_was_checked(
    work: Path, pets_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The datamodule that is typed takes the place of the stranger's, also where the two are compared."""
    assert main(["fit", *UNET, *data(pets_root), *ONE_STEP, "--run_folder", "run"]) == 0
    (work / "stranger.py").write_text("from pathlib import Path\nPath('was_here').touch()\n")
    config = Path("run/config.yaml")
    config.write_text(config.read_text().replace("lightning_seg.OxfordPetsDataModule", "stranger.DM"))
    assert "stranger.DM" in config.read_text()
    assert main(["test", "--run", "run", *data(pets_root), "--data.batch_size", "2", *CPU]) == 0
    assert not Path("was_here").exists()
    capfd.readouterr()


def test_where_pictures_cannot_be_compared_the_arguments_are(
    mistake: Mistake, work: Path, pets_copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = ["--data", "my_code.Plain", "--data.root", str(pets_copy)]
    assert main(["fit", *UNET, *plain, *ONE_STEP, "--run_folder", "plain"]) == 0
    assert main(["fit", *UNET, *data(pets_copy), *ONE_STEP, "--run_folder", "ours"]) == 0
    # Another class, which knows its pictures, after one that does not tell them.
    assert main(["test", "--run", "plain", *data(pets_copy), *CPU]) == 0
    capfd.readouterr()
    line = mistake(["validate", "--run", "plain", *plain, "--data.seed", "3", *CPU])
    assert "data.seed 3 instead of 0 divides the pictures anew" in line
    moved = pets_copy.rename(pets_copy.with_name("moved"))
    # The pictures of the training are not where they were.
    line = mistake(["validate", "--run", "ours", *data(moved), "--data.seed", "3", *CPU])
    assert "data.seed 3 instead of 0" in line
    assert main(["test", "--run", "ours", *data(moved), *CPU]) == 0
    capfd.readouterr()


def test_pictures_may_stand_behind_an_equals_sign(work: Path) -> None:
    typed = RunArguments.parse(["predict", "--images=a.png", "b.png", "--output", "o", "--images=-c.png"])
    assert typed.for_lightning == ["predict", "--output", "o", '--images=["a.png", "b.png", "-c.png"]']


def test_an_own_task_whose_own_data_do_not_count_classes_says_so(mistake: Mistake, work: Path, pets_root: Path) -> None:
    own = ["--data", "my_code.Plain", "--data.root", str(pets_root)]
    line = mistake(["fit", "--model", "my_code.MyTask", *own, *ONE_STEP])
    assert "model.num_classes: null is not accepted; expected a whole number" in line


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--model", "UNetTask", "--data.image_sise", "32", "--data", "OxfordPetsDataModule"], "--data.image_size?"),
        (["--data", "my_code.MyFolder", "--data.fol", "x", "--model", "UNetTask"], "did you mean --data.fold?"),
        (["--model", "TimmClassifierTask", "--model.wights", "x"], "did you mean --model.weights?"),
    ],
)
def test_a_hint_names_one_section(mistake: Mistake, work: Path, words: list[str], hint: str) -> None:
    line = mistake(["fit", *words])
    assert hint in line
    assert "model.model" not in line
    assert "data.data" not in line


def test_help_lists_classes_of_ones_own_and_those_of_a_run(
    work: Path, pets_root: Path, mistake: Mistake, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--model", "my_code.MyTask", "--data", "my_code.MyFolder", "--help"]) == 0
    said = capfd.readouterr().out
    assert "--data.fold" in said
    assert "--model.lr" in said
    assert main(["fit", *UNET, *data(pets_root), *ONE_STEP, "--run_folder", "run", "--model.lr", "0.0625"]) == 0
    capfd.readouterr()
    assert main(["test", "--run", "run", "--help"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "--model.lr LR learning rate. (type: float, default: 0.0625)" in said
    assert "--print_config" in said
    assert "model: nonsense.X cannot be found" in mistake(["fit", "--model", "nonsense.X", "--help"])


def test_knobs_of_whole_pictures_need_whole_pictures(
    mistake: Mistake, work: Path, flowers_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", "SlidingDetectorTask", "--model.backbone", "test_resnet", "--model.weights", "null"]
    words = [
        *model,
        "--model.window",
        "64",
        "--model.freeze_encoder",
        "false",
        *data(flowers_root, "FlowersDataModule"),
    ]
    words += ["--data.image_size", "64"]
    assert main(["fit", *words, *ONE_STEP, "--run_folder", "run"]) == 0
    capfd.readouterr()
    line = mistake(["test", "--run", "run", "--threshold", "0.5", *CPU])
    assert "--original_size true" in line
