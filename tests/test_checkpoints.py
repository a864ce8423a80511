"""Checkpoints of strangers: what they hold is plain, or they are refused with its name."""

import os
import pickle
import subprocess
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.core.saving import _load_from_checkpoint

from lightning_seg import CNNClassifierTask, FlowersDataModule, PicturesDataModule, Predictor, UNetTask
from lightning_seg.callbacks.continued import moved
from lightning_seg.errors import ConfigError, UserError, WeightsError
from lightning_seg.models.weights import read_state_dict
from lightning_seg.tasks.loading import load_task
from lightning_seg.tasks.resuming import restore_counts

Change = Callable[[dict[str, Any]], None]
Load = Callable[[Path], object]
MARK = "ran"
INSTANTIATOR = "pytorch_lightning.cli.instantiate_module"


def popen(folder: Path) -> dict[str, Any]:
    """What builds a process that leaves a file behind."""
    return {"class_path": "subprocess.Popen", "init_args": {"args": f"touch {folder / MARK}", "shell": True}}


class Touch:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a small classifier."""
    return saved(CNNClassifierTask(num_classes=3, image_size=16), tmp_path_factory.mktemp("plain") / "plain.ckpt")


def saved(task: pl.LightningModule, path: Path) -> Path:
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(task)
    task._trainer = trainer
    trainer.save_checkpoint(path, weights_only=True)
    task._trainer = None
    return path


def changed(plain: Path, path: Path, change: Change) -> Path:
    content = torch.load(plain, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def given(**values: Any) -> Change:
    return lambda content: content["hyper_parameters"].update(values)


def named(task: Any) -> Change:
    return lambda content: content["lightning_seg"].update(task=task)


def remembering(state: dict[str, Any]) -> Change:
    return lambda content: content.update(callbacks={"M": state})


LOADERS: dict[str, Load] = {
    "predictor": lambda path: Predictor.from_run(path, device="cpu"),
    "task": CNNClassifierTask.load_from_checkpoint,
    "open file": lambda path: CNNClassifierTask.load_from_checkpoint(BytesIO(path.read_bytes())),
}


@pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda folder: given(_instantiator=INSTANTIATOR, optimizer_options={"x": popen(folder)}), "_instantiator"),
        (lambda folder: given(_instantiator=INSTANTIATOR), "_instantiator"),
        (lambda folder: given(_class_path="subprocess.Popen"), "_class_path"),
        (lambda folder: given(optimizer_options={"x": popen(folder)}), "optimizer_options.x.class_path"),
        (lambda folder: given(schedule_options=[{"y": [popen(folder)]}]), r"schedule_options.0.y.0.class_path"),
        (lambda folder: given(optimizer_options={"x.class_path": "os.system"}), "optimizer_options.x.class_path"),
        (lambda folder: given(optimizer_options={"_target_": "os.system"}), "optimizer_options._target_"),
        (lambda folder: given(class_weights=torch.ones(3)), "a Tensor in class_weights"),
        (lambda folder: given(class_names={"a", "b"}), "a set in class_names"),
        (lambda folder: given(optimizer_options={1.5: 2}), "a key of type float in optimizer_options"),
        (lambda folder: given(colour="red"), "no argument 'colour'"),
        (lambda folder: given(**{"bad\x1b[2Jname": 1}), r"no argument 'bad\\\\x1b\[2Jname'"),
        (lambda folder: lambda content: content.update(hparams={"_instantiator": INSTANTIATOR}), "hparams"),
        (lambda folder: lambda content: content.update(module_arguments={"lr": 1.0}), "module_arguments"),
        (lambda folder: lambda content: content.update(hyper_parameters=[1]), "hyper_parameters is a list"),
        (lambda folder: given(num_classes=10**9), "num_classes 1000000000"),
        (lambda folder: given(image_size=10**6), "far larger than the"),
    ],
)
def test_what_is_no_plain_value_is_named_and_not_built(
    plain: Path, tmp_path: Path, change: Callable[[Path], Change], name: str, load: Load
) -> None:
    path = changed(plain, tmp_path / "evil.ckpt", change(tmp_path))
    with pytest.raises(ConfigError, match=name) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / MARK).exists()


def test_the_hole_is_there_where_nobody_checks(plain: Path, tmp_path: Path) -> None:
    """Lightning by itself runs the command, so the test above would see it."""
    change = given(_instantiator=INSTANTIATOR, optimizer_options={"x": popen(tmp_path)})
    path = changed(plain, tmp_path / "evil.ckpt", change)
    # It cannot be copied, but it has run by then.
    with suppress(TypeError):
        _load_from_checkpoint(CNNClassifierTask, path, weights_only=True)
    for _ in range(100):
        if (tmp_path / MARK).exists():
            break
        subprocess.run(["sleep", "0.1"], check=True)
    assert (tmp_path / MARK).exists()


@pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS)
def test_pickled_code_is_named_and_not_run(plain: Path, tmp_path: Path, load: Load) -> None:
    path = changed(plain, tmp_path / "evil.ckpt", lambda content: content.update(extra=Touch(tmp_path / MARK)))
    with pytest.raises(ConfigError, match=r"(evil.ckpt|the checkpoint): no.*\(it would call posix.system\)") as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("whole", [True, False])
def test_weights_files_run_no_code(tmp_path: Path, whole: bool) -> None:
    path = tmp_path / "weights.pth"
    if whole:
        torch.save({"weight": torch.ones(1), "x": Touch(tmp_path / MARK)}, path)
    else:
        path.write_bytes(pickle.dumps(Touch(tmp_path / MARK)))
    with pytest.raises(WeightsError, match=r"weights.pth: torch.load cannot read tensors") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / MARK).exists()


def test_an_address_is_read_without_running_code(
    plain: Path, tmp_path: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning's own default for addresses runs what it finds."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    served = tmp_path / "served"
    served.mkdir()
    changed(plain, served / "evil.ckpt", lambda content: content.update(extra=Touch(tmp_path / MARK)))
    (served / "good.ckpt").write_bytes(plain.read_bytes())
    address = serve(served)
    with pytest.raises(ConfigError, match=r"evil.ckpt"):
        CNNClassifierTask.load_from_checkpoint(f"{address}evil.ckpt")
    assert not (tmp_path / MARK).exists()
    assert isinstance(CNNClassifierTask.load_from_checkpoint(f"{address}good.ckpt"), CNNClassifierTask)


def test_a_stored_hparams_file_is_not_read(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "hparams.yaml").write_text(f"_instantiator: {INSTANTIATOR}\n")
    with pytest.raises(ConfigError, match=r"hparams_file .*hparams.yaml: a checkpoint holds the arguments itself"):
        CNNClassifierTask.load_from_checkpoint(plain, hparams_file=tmp_path / "hparams.yaml")
    with pytest.raises(ConfigError, match="hparams_file"):
        CNNClassifierTask.load_from_checkpoint(plain, None, tmp_path / "hparams.yaml")


@pytest.mark.parametrize("kind", [FlowersDataModule, PicturesDataModule])
def test_datamodules_are_not_built_by_a_checkpoint_either(
    plain: Path, tmp_path: Path, kind: type[pl.LightningDataModule]
) -> None:
    def change(content: dict[str, Any]) -> None:
        content["datamodule_hyper_parameters"] = {"_instantiator": INSTANTIATOR, "root": popen(tmp_path)}

    path = changed(plain, tmp_path / "evil.ckpt", change)
    with pytest.raises(ConfigError, match=r"datamodule_hyper_parameters holds _instantiator.*root.class_path"):
        kind.load_from_checkpoint(path)
    assert not (tmp_path / MARK).exists()


def test_a_module_that_a_checkpoint_names_is_not_imported(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger.py").write_text(f"open({str(tmp_path / MARK)!r}, 'w')\nclass Task: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("stranger.Task", "lightning_seg.tasks.cnn_classifier.torch.hub.load", "os.system", "Task", ""):
        path = changed(plain, tmp_path / "evil.ckpt", named(name))
        with pytest.raises(
            ConfigError, match=r"evil.ckpt: its class .* cannot be imported unless its module is trusted"
        ):
            Predictor.from_run(path, device="cpu")
    assert not (tmp_path / MARK).exists()
    path = changed(plain, tmp_path / "evil.ckpt", named(5))
    with pytest.raises(ConfigError, match="not a checkpoint that lightning_seg has trained"):
        Predictor.from_run(path, device="cpu")


OWN = """
from lightning_seg import CNNClassifierTask

class OwnTask(CNNClassifierTask):
    def __init__(self, extra: float = 0.5, **options):
        super().__init__(**options)
        self.extra = extra

class NoTask:
    pass
"""


def test_the_users_own_task_is_imported_where_he_names_its_module(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_tasks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)

    def of(name: str) -> Path:
        def change(content: dict[str, Any]) -> None:
            content["lightning_seg"]["task"] = f"own_tasks.{name}"
            content["hyper_parameters"]["extra"] = 0.25

        return changed(plain, tmp_path / f"{name}.ckpt", change)

    for trust in ([], ["own"], ["other_tasks", "own_tasks.Other"]):
        with pytest.raises(ConfigError, match=r"trust=\['own_tasks'\]"):
            Predictor.from_run(of("OwnTask"), device="cpu", trust=trust)
    with pytest.raises(ConfigError, match=r"own_tasks.NoTask is no task"):
        Predictor.from_run(of("NoTask"), device="cpu", trust=["own_tasks"])
    with pytest.raises(ConfigError, match=r"own_tasks.Missing cannot be imported \(.*make its module importable"):
        Predictor.from_run(of("Missing"), device="cpu", trust=["own_tasks"])
    task: Any = Predictor.from_run(of("OwnTask"), device="cpu", trust=["own_tasks"]).task
    assert (type(task).__name__, task.extra, task.hparams["image_size"]) == ("OwnTask", 0.25, 16)
    # It is known now.
    assert type(load_task(of("OwnTask"))[0]) is type(task)


class Narrow(CNNClassifierTask):
    """A user's task that takes less than what it hands on, which is stored, too."""

    def __init__(self, width: int = 8) -> None:
        super().__init__(num_classes=3, image_size=2 * width)


class Wide(CNNClassifierTask):
    """A user's task whose further arguments go elsewhere."""

    def __init__(self, num_classes: int = 3, **others: Any) -> None:
        super().__init__(num_classes=num_classes, image_size=16)
        self.save_hyperparameters(others)


def test_own_tasks_load_as_before(tmp_path: Path) -> None:
    narrow = Narrow.load_from_checkpoint(saved(Narrow(width=8), tmp_path / "narrow.ckpt"))
    assert narrow.hparams["width"] == 8
    wide = Wide.load_from_checkpoint(saved(Wide(depth=3), tmp_path / "wide.ckpt"))
    assert wide.hparams["depth"] == 3
    assert type(Predictor.from_run(tmp_path / "wide.ckpt", device="cpu").task) is Wide


def test_a_trusted_file_is_read_as_torch_does(plain: Path, tmp_path: Path) -> None:
    path = changed(plain, tmp_path / "own.ckpt", lambda content: content.update(extra={1, 2}, mine=Path("x")))
    with pytest.raises(ConfigError):
        CNNClassifierTask.load_from_checkpoint(path)
    assert CNNClassifierTask.load_from_checkpoint(path, weights_only=False).hparams["image_size"] == 16


def test_values_that_no_class_takes_are_one_line(plain: Path, tmp_path: Path) -> None:
    for values in ({"class_names": 5}, {"num_classes": 4}, {"normalization": [[1e400] * 3] * 2}, {"optimizer": "os.x"}):
        with pytest.raises(UserError) as caught:
            load_task(changed(plain, tmp_path / "odd.ckpt", given(**values)))
        assert "\n" not in str(caught.value)


def test_weights_that_a_checkpoint_names_are_neither_read_nor_fetched(tmp_path: Path) -> None:
    from lightning_seg import SmpTask, TimmClassifierTask

    timm = saved(TimmClassifierTask("resnet18", None, 3), tmp_path / "timm.ckpt")
    smp = saved(SmpTask(3, encoder_name="resnet18", encoder_weights=None), tmp_path / "smp.ckpt")
    for path, argument in ((timm, "weights"), (smp, "encoder_weights")):
        for value in (str(tmp_path / "missing.pth"), "http://127.0.0.1:9/x.pth", "imagenet"):
            changed(path, tmp_path / "changed.ckpt", given(**{argument: value}))
            assert load_task(tmp_path / "changed.ckpt")[0].hparams[argument] == value


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18", "local-dir:here", "resnet18.hf-hub:timm/resnet18"])
def test_networks_of_elsewhere_do_not_exist(plain: Path, tmp_path: Path, name: str) -> None:
    def change(content: dict[str, Any]) -> None:
        content["lightning_seg"]["task"] = "lightning_seg.tasks.timm_classifier.TimmClassifierTask"
        kept = {key: content["hyper_parameters"][key] for key in ("num_classes", "lr")}
        content["hyper_parameters"] = {**kept, "arch": name, "weights": None}

    with pytest.raises(ConfigError, match=r"arch .* does not exist"):
        load_task(changed(plain, tmp_path / "evil.ckpt", change))


def test_a_network_far_larger_than_its_weights_is_refused_at_once(tmp_path: Path) -> None:
    path = saved(UNetTask(num_classes=1, width=2, depth=2), tmp_path / "unet.ckpt")
    for values in ({"width": 10**7}, {"depth": 10**6}):
        with pytest.raises(UserError, match=r"far larger than|depth 1000000 is too large"):
            load_task(changed(path, tmp_path / "huge.ckpt", given(**values)))
    assert load_task(path)[0].hparams["width"] == 2


@pytest.mark.parametrize("path", ["{}/../../../photos", "s3://bucket/x", "a/../../b"])
def test_callbacks_remember_no_files_of_elsewhere(plain: Path, tmp_path: Path, path: str) -> None:
    """Lightning deletes what they remember when something better comes."""
    from lightning_seg.checkpoints import check_checkpoint

    check_checkpoint(plain)
    for state in ({"best_model_path": path}, {"best_k_models": {path: 1.0}}):
        change = changed(plain, tmp_path / "evil.ckpt", remembering(state))
        with pytest.raises(ConfigError, match=r"callbacks.M.best_.* is no file of a run"):
            check_checkpoint(change)


def test_the_folder_above_is_no_checkpoint_to_replace() -> None:
    state = {"best_model_path": "x/..", "kth_best_model_path": "", "last_model_path": "/", "best_k_models": {"..": 1.0}}
    here = moved(state, "run/checkpoints")
    assert [here[name] for name in ("best_model_path", "kth_best_model_path", "last_model_path")] == ["", "", ""]
    assert here["best_k_models"] == {"": 1.0}


BAD_STATES: list[tuple[str, Any]] = [
    ("callbacks", [1]),
    ("loops", {"fit_loop": 3}),
    ("loops", {"fit_loop": {"epoch_progress": 3.5}}),
    ("loops", {"fit_loop": {"epoch_progress": {"current": {"processed": "1"}}}}),
    ("optimizer_states", {"a": 1}),
]


@pytest.mark.parametrize(("name", "value"), BAD_STATES)
def test_states_of_another_form_are_named(plain: Path, tmp_path: Path, name: str, value: Any) -> None:
    path = changed(plain, tmp_path / "a.ckpt", lambda content: content.update({name: value}))
    with pytest.raises(ConfigError, match=f"its {name} are no states of a training"):
        CNNClassifierTask.load_from_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("state_dict", [1], "its state_dict holds no weights by name"),
        ("hparams_name", 3, "its hparams_name is a int and no text"),
        ("hparams_type", {"a": 1}, "its hparams_type is a dict and no text"),
        ("lightning_seg", [1], "its lightning_seg is a list and no mapping"),
        ("lightning_seg", {"seed": "x\ny"}, r"its lightning_seg\.seed is x\\ny, no whole number from 0 on"),
        ("lightning_seg", {"seed": -1}, r"its lightning_seg\.seed is -1"),
        ("lightning_seg", {"batches_without_step": 1.5}, r"its lightning_seg\.batches_without_step is 1\.5"),
        ("lightning_seg", {"counted": [1]}, r"its lightning_seg\.counted are no counts of metrics"),
        ("lightning_seg", {"counted": {"a": {"b": 1}}}, r"its lightning_seg\.counted are no counts of metrics"),
    ],
)
def test_what_a_task_remembers_has_its_form(plain: Path, tmp_path: Path, name: str, value: Any, message: str) -> None:
    path = changed(plain, tmp_path / "a.ckpt", lambda content: content.update({name: value}))
    with pytest.raises(ConfigError, match=f"a.ckpt: {message}; a checkpoint holds plain values alone|{message}"):
        CNNClassifierTask.load_from_checkpoint(path)


@pytest.mark.parametrize("values", [{"num_classes": "2"}, {"class_names": 5}, {"image_size": {"a": 1}}], ids=str)
def test_odd_values_are_one_line_where_a_script_loads_them(plain: Path, tmp_path: Path, values: dict[str, Any]) -> None:
    path = changed(plain, tmp_path / "odd.ckpt", given(**values))
    with pytest.raises(UserError) as caught:
        CNNClassifierTask.load_from_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_counts_of_another_form_are_not_counted_on() -> None:
    task = CNNClassifierTask(num_classes=3, image_size=16)
    counts = {"losses.train_.cross_entropy": {"total": torch.zeros(7)}}
    with pytest.raises(ConfigError, match=r"as losses\.train_\.cross_entropy\.total has another form here; give a"):
        restore_counts(task, counts, rank=0)


def test_a_checkpoint_at_an_address_is_checked_as_a_file_is(
    plain: Path, tmp_path: Path, flowers_root: Path, mistake: Callable[[list[str]], str]
) -> None:
    path = changed(plain, tmp_path / "a.ckpt", remembering({"best_model_path": "../../elsewhere.txt"}))
    words = ["fit", "--model", "CNNClassifierTask", "--data", "FlowersDataModule", "--data.root", str(flowers_root)]
    assert "is no file of a run" in mistake([*words, "--ckpt_path", f"file://{path}"])
