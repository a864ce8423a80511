"""Run folders of strangers: their config builds what is known or typed, and everything else is named."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.arguments import Asked, RunArguments, Typed
from lightning_seg.callbacks import MaskWriter
from lightning_seg.class_arguments import types_of
from lightning_seg.cli.places import stay_inside
from lightning_seg.errors import ConfigError
from lightning_seg.trust import AUGMENT, PLACES, check_config, find_class, names_foreign

Mistake = Callable[[list[str]], str]
MARK = "ran"
POPEN = {"class_path": "subprocess.Popen", "init_args": {"args": f"touch {MARK}", "shell": True}}
DDP = "pytorch_lightning.strategies.DDPStrategy"
PLACE = re.compile(r"(.*_|)(dir|dirpath|path|filename|root|output|uri)")
"""Names of arguments that say where something lies."""
SMALL = ["--data.image_size", "16", "--data.batch_size", "8", "--data.num_workers", "0"]
QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
SCRIPT = "import sys; from lightning_seg.__main__ import main; sys.path.remove(''); sys.exit(main())"
"""The installed script, which does not look into the working folder."""
STRANGER = """
open("ran", "w")
import albumentations, pytorch_lightning as pl
class Callback(pl.Callback): pass
class Model(pl.LightningModule): pass
class Data(pl.LightningDataModule): pass
class Flip(albumentations.HorizontalFlip): pass
class Plugin(pl.plugins.CheckpointIO): pass
def function(*args, **kwargs): pass
"""
YAML = """
trainer:
  max_epochs: 1
  accelerator: cpu
  callbacks:
    - class_path: DeviceStatsMonitor
    - class_path: EarlyStopping
      init_args: {monitor: val/loss}
    - class_path: ModelCheckpoint
      init_args: {dirpath: further, filename: "x.{epoch}", train_time_interval: "1:30:00"}
data:
  class_path: FlowersDataModule
  init_args:
    augment:
      - class_path: HorizontalFlip
      - RandomRotate90
      - class_path: OneOf
        init_args:
          transforms: [{class_path: VerticalFlip}, {class_path: albumentations.Transpose, init_args: {p: 1.0}}]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, flowers_root: Path) -> Path:
    """A run with callbacks and transforms in its config."""
    folder = tmp_path_factory.mktemp("trust")
    (folder / "config.yaml").write_text(YAML)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        flags = ["--config", "config.yaml", "--model", "CNNClassifierTask", "--data.root", str(flowers_root)]
        assert main(["fit", *flags, *SMALL, *QUIET, "--run_folder", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def config(run: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((run / "config.yaml").read_text())
    return values


@pytest.fixture
def stranger(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a stranger beside his code, in the working folder."""
    monkeypatch.chdir(tmp_path)
    # As python -m has it.
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "stranger.py").write_text(STRANGER)
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({"class_path": "stranger.Callback"}))
    (tmp_path / "lines").write_text("stranger.Flip\n")
    (tmp_path / "theirs" / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        (tmp_path / "theirs" / name).write_bytes((run / name).read_bytes())
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    return tmp_path / "theirs"


def change(config: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    changed = deepcopy(config)
    held: Any = changed
    *way, last = place.split("/")
    for key in way:
        held = held[int(key)] if isinstance(held, list) else held[key]
    held[last] = value
    return changed


def callback(name: str, **values: Any) -> list[dict[str, Any]]:
    return [{"class_path": name, "init_args": values}]


ATTACKS = [
    ("model/init_args/optimizer_options", {"x": POPEN}, "subprocess.Popen"),
    ("model/init_args/optimizer_options", {"x.class_path": "subprocess.Popen"}, "x.class_path"),
    ("model/init_args/optimizer_options.x", POPEN, "optimizer_options.x"),
    ("model/dict_kwargs", {"x": POPEN}, "subprocess.Popen"),
    ("model/class_path", "stranger.Model", "stranger.Model"),
    ("model/class_path", ["stranger.Model"], "no name of a class"),
    ("model", "stranger.Model", "stranger.Model"),
    ("model", "one.yaml", "one.yaml"),
    ("model/init_args", "one.yaml", "one.yaml"),
    ("model/class_path", "lightning_seg.tasks.cnn_classifier.torch.hub.load", "torch.hub.load"),
    ("model/class_path", "lightning_seg.FlowersDataModule", "FlowersDataModule"),
    ("data/class_path", "stranger.Data", "stranger.Data"),
    ("data/init_args/root", POPEN, "subprocess.Popen"),
    ("data/init_args/mixing", POPEN, "subprocess.Popen"),
    ("data/init_args/augment", "lines", "lines"),
    ("data/init_args/augment", ["stranger.Flip"], "stranger.Flip"),
    ("data/init_args/augment", [{"class_path": "stranger.Flip"}], "stranger.Flip"),
    ("data/init_args/augment", callback("OneOf", transforms=["stranger.Flip"]), "stranger.Flip"),
    ("data/init_args/augment", callback("OneOf", transforms=callback("HorizontalFlip", p=POPEN)), "subprocess.Popen"),
    ("trainer", "one.yaml", "one.yaml"),
    ("trainer/callbacks", "one.yaml", "one.yaml"),
    ("trainer/callbacks", ["one.yaml"], "one.yaml"),
    ("trainer/callbacks", ["stranger.Callback"], "stranger.Callback"),
    ("trainer/callbacks+", ["stranger.Callback"], "callbacks+"),
    ("trainer.callbacks", ["stranger.Callback"], "trainer.callbacks"),
    ("trainer/callbacks", callback("stranger.Callback"), "stranger.Callback"),
    ("trainer/callbacks", callback("pytorch_lightning.Trainer"), "pytorch_lightning.Trainer"),
    ("trainer/callbacks", callback("pytorch_lightning.cli.LightningCLI"), "LightningCLI"),
    ("trainer/callbacks", callback("pytorch_lightning.callbacks.lambda_function.os.system"), "os.system"),
    ("trainer/callbacks", callback("LambdaCallback", setup="os.system"), "os.system"),
    ("trainer/callbacks", callback("LambdaCallback", setup="stranger.function"), "stranger.function"),
    ("trainer/callbacks", callback("LambdaCallback", setup=POPEN), "subprocess.Popen"),
    ("trainer/logger", {"class_path": "stranger.Logger"}, "stranger.Logger"),
    ("trainer/logger", ["stranger.Logger"], "stranger.Logger"),
    ("trainer/profiler", "stranger.Profiler", "stranger.Profiler"),
    ("trainer/accelerator", "stranger.Accelerator", "stranger.Accelerator"),
    ("trainer/plugins", ["stranger.Plugin"], "stranger.Plugin"),
    ("trainer/strategy", "stranger.Strategy", "stranger.Strategy"),
    ("trainer/strategy", {"class_path": "stranger.Strategy"}, "stranger.Strategy"),
    ("trainer/strategy", {"class_path": DDP, "init_args": {"ddp_comm_hook": "stranger.function"}}, "stranger.function"),
    ("trainer/strategy", {"class_path": DDP, "init_args": {"cluster_environment": POPEN}}, "subprocess.Popen"),
    ("trainer/default_root_dir", POPEN, "subprocess.Popen"),
    ("config", "one.yaml", "config"),
    ("seed_everything", POPEN, "subprocess.Popen"),
    ("further", POPEN, "subprocess.Popen"),
    ("weights_only", False, "weights_only"),
]
IDS = [f"{place}-{name}" for place, _, name in ATTACKS]


@pytest.mark.parametrize(("place", "value", "name"), ATTACKS, ids=IDS)
def test_a_stranger_s_config_builds_nothing_unknown(
    stranger: Path, config: dict[str, Any], mistake: Mistake, place: str, value: Any, name: str
) -> None:
    (stranger / "config.yaml").write_text(yaml.safe_dump(change(config, place, value)))
    line = mistake(["test", "--run", str(stranger), *QUIET])
    assert name in line
    assert "--trust_config" in line or place == "weights_only"
    assert not Path(MARK).exists()
    assert "stranger" not in sys.modules


@pytest.mark.parametrize(
    "flags", [["validate", "--run"], ["predict", "--images", ".", "--run"], ["test", "--ckpt_path"]]
)
def test_every_way_in_is_checked(stranger: Path, config: dict[str, Any], mistake: Mistake, flags: list[str]) -> None:
    (stranger / "config.yaml").write_text(yaml.safe_dump(change(config, "data/class_path", "stranger.Data")))
    given = stranger / "checkpoints" / "best.ckpt" if flags[-1] == "--ckpt_path" else stranger
    assert "data is stranger.Data, not a datamodule that is known here" in mistake([*flags, str(given), *QUIET])
    assert "stranger" not in sys.modules


def test_preview_looks_at_the_data_alone(stranger: Path, config: dict[str, Any], mistake: Mistake) -> None:
    (stranger / "config.yaml").write_text(yaml.safe_dump(change(config, "data/class_path", "stranger.Data")))
    assert "data is stranger.Data" in mistake(["preview", "--run", str(stranger)])
    assert "stranger" not in sys.modules
    (stranger / "config.yaml").write_text(yaml.safe_dump(change(config, "model/class_path", "stranger.Model")))
    assert main(["preview", "--run", str(stranger), "--output", "preview.png"]) == 0


@pytest.mark.parametrize("place", ["model/init_args/optimizer_options", "data/init_args/root", "seed_everything"])
def test_going_on_with_a_run_builds_nothing_in_plain_values(
    stranger: Path, config: dict[str, Any], mistake: Mistake, place: str
) -> None:
    (stranger / "config.yaml").write_text(yaml.safe_dump(change(config, place, {"x": POPEN})))
    line = mistake(["fit", "--run", str(stranger), "--trainer.max_epochs", "2", *QUIET])
    assert "subprocess.Popen, built where plain values belong" in line
    assert not Path(MARK).exists()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("trainer/callbacks", callback("torch.utils.cpp_extension.load", sources=[])),
        ("trainer/callbacks", callback("stranger.function")),
        ("trainer/callbacks", callback("stranger.Model")),
        ("trainer/plugins", callback("torch.nn.Linear")),
        ("trainer/logger", {"class_path": "numpy.fromfile"}),
        ("model/class_path", "stranger.Data"),
        ("data/class_path", "stranger.Callback"),
        ("data/init_args/augment", callback("torch.hub.load")),
    ],
    ids=str,
)
def test_going_on_with_a_run_builds_each_kind_where_it_belongs(
    stranger: Path, config: dict[str, Any], place: str, value: Any
) -> None:
    assert stranger.is_dir()
    with pytest.raises(ConfigError, match="that is known here; a config is code"):
        check_config(Path("config.yaml"), change(config, place, value), frozenset(), own=True)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("trainer/callbacks", callback("stranger.Callback")),
        ("trainer/plugins", callback("stranger.Plugin")),
        ("model/class_path", "stranger.Model"),
        ("data/class_path", "stranger.Data"),
        ("data/init_args/augment", callback("stranger.Flip")),
        # The parser says what is wrong with it.
        ("model/class_path", "no_such_module.Model"),
    ],
    ids=str,
)
def test_the_users_own_classes_are_built_where_he_goes_on(
    stranger: Path, config: dict[str, Any], place: str, value: Any
) -> None:
    assert stranger.is_dir()
    changed = change(config, place, value)
    check_config(Path("config.yaml"), changed, frozenset(), own=True)
    with pytest.raises(ConfigError, match="that is known here; a config is code"):
        check_config(Path("config.yaml"), changed, frozenset())


def test_what_a_run_may_hold_is_built_without_a_flag(stranger: Path, tmp_path: Path) -> None:
    before = (stranger / "config.yaml").read_text()
    for command in ("validate", "test"):
        assert main([command, "--run", str(stranger), *QUIET]) == 0
    Image.new("RGB", (20, 20)).save(tmp_path / "photo.png")
    assert main(["predict", "--run", str(stranger), "--images", "photo.png", "--output", "out", *QUIET]) == 0
    assert main(["fit", "--run", str(stranger), "--trainer.max_epochs", "2", *QUIET]) == 0
    after = yaml.safe_load((stranger / "config.yaml").read_text())
    assert after == change(yaml.safe_load(before), "trainer/max_epochs", 2) | {"trainer": after["trainer"]}
    assert not {"config", "run", "trust_config"} & after.keys()


@pytest.fixture
def greedy(stranger: Path, config: dict[str, Any], tmp_path: Path) -> Path:
    """Whose config would write into another folder, and remove a checkpoint there."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine.ckpt").write_text("mine")
    values = change(config, "trainer/profiler", callback("AdvancedProfiler", dirpath=str(victim), filename="../out")[0])
    values["trainer"]["callbacks"] = [
        *callback("OnExceptionCheckpoint", dirpath=str(victim), filename="mine"),
        *callback("ModelCheckpoint", dirpath=str(victim)),
        *callback("lightning_seg.callbacks.LabelWriter", output=str(victim / "answers")),
    ]
    (stranger / "config.yaml").write_text(yaml.safe_dump(values))
    return victim


@pytest.mark.parametrize("output", [[], ["--output", "asked"]], ids=["usual", "asked"])
def test_a_stranger_does_not_say_where_to_write(
    output: list[str], stranger: Path, greedy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "--run", str(stranger), *output, *QUIET]) == 0
    said = capfd.readouterr().out
    place = Path("asked") if output else stranger / "predictions"
    assert (place / "predictions.csv").is_file()
    assert f"trainer.callbacks: LabelWriter writes into {place}, and not into {greedy / 'answers'}" in said
    assert f"trainer.profiler: AdvancedProfiler writes into {stranger}, and not into {greedy}" in said
    assert "type it for another place, or give --trust_config" in said
    assert [path.name for path in greedy.iterdir()] == ["mine.ckpt"]
    assert (stranger / "predict-out.txt").is_file()
    if not output:
        for command in ("test", "validate"):
            assert main([command, "--run", str(stranger), *QUIET]) == 0
        assert [path.name for path in greedy.iterdir()] == ["mine.ckpt"]
        assert not list(stranger.parent.glob("*out*"))


def test_who_types_a_place_or_trusts_a_config_is_obeyed(stranger: Path, greedy: Path, tmp_path: Path) -> None:
    (greedy / "mine.ckpt").unlink()
    flags = ["--trainer.profiler", "SimpleProfiler", "--trainer.profiler.dirpath", str(tmp_path / "typed")]
    words = ["predict", "--run", str(stranger), *QUIET]
    assert main([*words, *flags, "--trainer.profiler.filename", "times"]) == 0
    assert (tmp_path / "typed" / "predict-times.txt").is_file()
    assert list(greedy.iterdir()) == []
    assert main([*words, "--trust_config"]) == 0
    assert (greedy / "answers" / "predictions.csv").is_file()


ADDED = {
    "class": ["--trainer.callbacks+=DeviceStatsMonitor"],
    "same class": ["--trainer.callbacks+=OnExceptionCheckpoint", "--trainer.callbacks.dirpath=mine"],
    "argument": ["--trainer.profiler.filename=times"],
    "config": ["--config", "mine.yaml"],
}
"""What a user types that says nothing about the places of the run's config."""


@pytest.mark.parametrize("words", ADDED.values(), ids=ADDED)
def test_what_is_typed_beside_them_does_not_free_the_places_of_a_stranger(
    words: list[str], stranger: Path, greedy: Path, config: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    added = {"callbacks+": callback("DeviceStatsMonitor"), "profiler": {"init_args": {"filename": "times"}}}
    Path("mine.yaml").write_text(yaml.safe_dump({"trainer": added}))
    assert main(["predict", "--run", str(stranger), "--output", "asked", *words, *QUIET]) == 0
    assert [path.name for path in greedy.iterdir()] == ["mine.ckpt"]
    assert (greedy / "mine.ckpt").read_text() == "mine"
    assert (Path("asked") / "predictions.csv").is_file()
    said = capfd.readouterr().out
    assert f"AdvancedProfiler writes into {stranger}, and not into {greedy} as the config of the run" in said


@pytest.mark.parametrize("key", ["callbacks", "callbacks+"])
def test_a_place_in_a_config_of_the_user_is_obeyed(
    key: str, stranger: Path, greedy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = callback("lightning_seg.callbacks.LabelWriter", output="here") + callback(
        "OnExceptionCheckpoint", dirpath="kept", filename="error"
    )
    profiler = callback("SimpleProfiler", dirpath="times", filename="out")[0]
    Path("mine.yaml").write_text(yaml.safe_dump({"trainer": {key: mine, "profiler": profiler}}))
    assert main(["predict", "--run", str(stranger), "--config", "mine.yaml", *QUIET]) == 0
    assert Path("here/predictions.csv").is_file()
    assert Path("times/predict-out.txt").is_file()
    assert [path.name for path in greedy.iterdir()] == ["mine.ckpt"]
    said = capfd.readouterr().out
    assert "not into here" not in said
    assert "not into times" not in said


@pytest.mark.parametrize(
    ("words", "known", "counts"),
    [
        (["--trainer.callbacks.output=out"], "out", True),
        (["--trainer.callbacks.output", "~/out"], "~/out", True),
        (["--trainer.callbacks+", "{class_path: MaskWriter, init_args: {output: out}}"], "./out", True),
        (["--trainer.callbacks.output=7"], "7", True),
        (["--trainer.profiler.dirpath=out"], "out", False),
        (["--trainer.callbacks.output"], ".", False),
        (["--trainer.callbacks.output=~nobody-at-all"], "a\0b", False),
        (["--trainer.callbacks_of.output=out"], "out", False),
    ],
)
def test_only_the_texts_of_an_argument_are_its_places(words: list[str], known: str, counts: bool) -> None:
    typed = Typed.of(Asked.of(["predict", *words]))
    given = {"callbacks": [MaskWriter(Path(known).expanduser())], "profiler": None}
    lines = stay_inside(given, typed, Path("run"), Path("asked"))
    assert given["callbacks"][0].output == (Path(known).expanduser() if counts else Path("asked"))  # type: ignore[index]
    assert len(lines) == (not counts)


def test_the_documentation_names_every_argument_that_is_a_place() -> None:
    text = (Path(__file__).parents[1] / "docs" / "runs.md").read_text()
    section = text.partition("**Where it writes.**")[2].partition("\nIn Python, ")[0]
    named = set(re.findall(r"`([\w.]+)`", section))
    missing = set()
    for place, known in PLACES.items():
        modules = () if place in ("model", AUGMENT) else known.modules
        for module, name in ((one, each) for one in modules for each in dir(import_module(one))):
            if (kind := find_class(f"{module}.{name}", place)) is not None:
                arguments = {*inspect.signature(kind).parameters, *types_of(kind)}
                told = {
                    one for one in arguments if re.fullmatch(r"(.*_|)(dir|dirpath|path|filename|root|output|uri)", one)
                }
                missing |= {(place, name, one) for one in told - named}
    assert missing == set()


def test_a_checkpoint_of_a_run_is_checked_before_anything_is_built(stranger: Path, mistake: Mistake) -> None:
    for name in ("best", "last"):
        path = stranger / "checkpoints" / f"{name}.ckpt"
        content = torch.load(path, weights_only=True)
        content["hyper_parameters"] |= {"_instantiator": "x", "optimizer_options": {"y": POPEN}}
        torch.save(content, path)
    Image.new("RGB", (20, 20)).save("photo.png")
    for command in (["test"], ["validate"], ["predict", "--images", "photo.png"], ["fit"]):
        line = mistake([*command, "--run", str(stranger), "--trainer.max_epochs", "2", *QUIET])
        assert "optimizer_options.y.class_path" in line
        assert "_instantiator" in line
    data = ["--data", "FlowersDataModule", "--data.root", "flowers", "--data.source", "synthetic", *SMALL]
    line = mistake(["test", "--ckpt_path", str(path), "--model", "CNNClassifierTask", *data, *QUIET])
    assert "last.ckpt: hyper_parameters holds" in line
    assert not Path(MARK).exists()


OWN = """
from lightning_seg import CNNClassifierTask

class MyTask(CNNClassifierTask):
    def __init__(self, extra: float = 0.5, **options):
        super().__init__(**options)
"""


def lightning_seg(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", SCRIPT, *words, *QUIET, "--trainer.accelerator", "cpu"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_an_own_class_in_the_working_folder_is_found_where_it_is_typed(
    tmp_path: Path, flowers_root: Path, monkeypatch: pytest.MonkeyPatch, mistake: Mistake
) -> None:
    """Through the real script, which does not have the working folder among its paths."""
    (tmp_path / "mytask.py").write_text(OWN)
    # What a library looks for and does without must not come from here.
    (tmp_path / "wandb.py").write_text("open('ran', 'w')")
    data = ["--data", "FlowersDataModule", "--data.root", str(flowers_root), *SMALL, "--trainer.max_epochs", "1"]
    done = lightning_seg(tmp_path, "fit", "--model", "mytask.MyTask", *data, "--run_folder", "run")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / MARK).exists()
    monkeypatch.chdir(tmp_path)
    for flags in (
        ["test", "--model", "mytask.MyTask"],
        ["test", "--trust_config"],
        ["fit", "--trainer.max_epochs", "2"],
    ):
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
        monkeypatch.delitem(sys.modules, "mytask", raising=False)
        assert "model is mytask.MyTask, not a task that is known here" in mistake(["test", "--run", "run"])
        assert main([flags[0], "--run", "run", *flags[1:], *QUIET]) == 0
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["model"]["class_path"] == "mytask.MyTask"


def test_a_typed_class_takes_the_place_of_an_unknown_one(
    stranger: Path, config: dict[str, Any], mistake: Mistake
) -> None:
    unknown = change(config, "model/class_path", "stranger.Model")
    (stranger / "config.yaml").write_text(yaml.safe_dump(unknown))
    assert main(["test", "--run", str(stranger), "--model", "CNNClassifierTask", *QUIET]) == 0
    assert "stranger" not in sys.modules
    # His other classes are still named.
    both = change(unknown, "trainer/callbacks", ["stranger.Callback"])
    (stranger / "config.yaml").write_text(yaml.safe_dump(both))
    assert "stranger.Callback" in mistake(["test", "--run", str(stranger), "--model", "CNNClassifierTask"])


def test_what_is_typed_is_trusted_in_all_its_forms(stranger: Path, config: dict[str, Any]) -> None:
    (stranger / "config.yaml").write_text(yaml.safe_dump(change(config, "trainer/callbacks", ["stranger.Callback"])))
    Path("typed.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [{"class_path": "stranger.Callback"}]}}))
    for flags in (
        ["--trainer.callbacks", "stranger.Callback"],
        ["--trainer.callbacks+=stranger.Callback"],
        ["--trainer.callbacks", "[{class_path: stranger.Callback}]"],
        ["--config", "typed.yaml"],
        ["--trust_config"],
        ["--trust_config", "true"],
        ["--trust_config=true"],
    ):
        words = RunArguments.parse(["test", "--run", str(stranger), *flags]).for_lightning
        assert "--trust_config" not in words
    for flags in (["--trust_config", "false"], ["--output", "stranger"], []):
        with pytest.raises(ConfigError, match=r"trainer.callbacks.0 is stranger.Callback"):
            RunArguments.parse(["test", "--run", str(stranger), *flags])


def test_the_flag_belongs_to_a_run(mistake: Mistake) -> None:
    assert "trust_config is about the config of --run" in mistake(["test", "--trust_config", "--model", "UNetTask"])
    assert "trust_config: 'maybe' is not accepted" in mistake(["test", "--run", "x", "--trust_config=maybe"])


def test_lightning_s_own_functions_are_no_strangers(config: dict[str, Any]) -> None:
    name = "pytorch_lightning.callbacks.finetuning.multiplicative"
    fine = change(config, "trainer/callbacks", callback("BackboneFinetuning", lambda_func=name))
    check_config(Path("config.yaml"), fine, frozenset())
    assert not names_foreign(fine)
    slurm = {
        "class_path": "lightning_fabric.plugins.environments.SLURMEnvironment",
        "init_args": {"auto_requeue": False},
    }
    strategy = {"class_path": DDP, "init_args": {"cluster_environment": slurm, "find_unused_parameters": True}}
    assert not names_foreign(change(config, "trainer/strategy", strategy))
    assert not names_foreign(change(config, "trainer/strategy", "ddp_find_unused_parameters_true"))
    assert not names_foreign(
        change(config, "trainer/logger", {"class_path": "CSVLogger", "init_args": {"save_dir": "a.b"}})
    )
    assert names_foreign(change(config, "trainer/callbacks", callback("BackboneFinetuning", lambda_func="os.system")))
    assert names_foreign(change(config, "model/class_path", "own.Task"))
