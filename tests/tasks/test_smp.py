import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import preprocess_input
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.models import mobilenet_v2

from lightning_seg import SmpTask
from lightning_seg.__main__ import main
from lightning_seg.errors import ConfigError, DownloadError, UserError, WeightsError
from lightning_seg.models.normalization import Normalize
from lightning_seg.models.smp_weights import normalization_of, pretrained_normalization
from lightning_seg.models.weights import without_pretrained

VIT = "tu-vit_tiny_patch16_224"
SMALL_DPT = {"decoder_intermediate_channels": [16, 16, 16, 16], "decoder_fusion_channels": 16}
# Class of smp, encoder, options, what the sides must be multiples of.
CASES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "unet": ("Unet", "resnet18", {}, 1),
    "unetplusplus": ("UnetPlusPlus", "timm-efficientnet-b0", {"decoder_channels": [64, 32, 16, 16, 8]}, 32),
    "manet": ("MAnet", "mobilenet_v2", {}, 32),
    "linknet": ("Linknet", "mobilenet_v2", {}, 32),
    "fpn": ("FPN", "mobilenet_v2", {"decoder_merge_policy": "cat"}, 32),
    "pspnet": ("PSPNet", "resnet18", {}, 8),
    "deeplabv3": ("DeepLabV3", "mobilenet_v2", {}, 8),
    "deeplabv3plus": ("DeepLabV3Plus", "mobilenet_v2", {}, 16),
    "pan": ("PAN", "mobilenet_v2", {}, 16),
    "upernet": ("UPerNet", "mobilenet_v2", {"decoder_channels": 32}, 32),
    "segformer": ("Segformer", "mit_b0", {}, 32),
    "dpt": ("DPT", VIT, {"dynamic_img_size": True, **SMALL_DPT}, 32),
}


def make_task(**options: Any) -> SmpTask:
    torch.manual_seed(0)
    return SmpTask(**{"encoder_name": "mobilenet_v2", "encoder_weights": None, **options})


def random_images(*size: int) -> Tensor:
    return torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def imagenet_pictures(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return (images / 255 - mean) / std


def batches() -> DataLoader[Any]:
    batch = {
        "image": random_images(64, 64),
        "mask": torch.zeros(2, 64, 64, dtype=torch.uint8),
        "index": torch.arange(2),
        "epoch": torch.zeros(2, dtype=torch.int64),
        "path": ["a.jpg", "b.jpg"],
        "original_size": torch.tensor([[64, 64]] * 2),
    }
    return DataLoader([batch], batch_size=None)  # type: ignore[arg-type]


class Pictures(pl.LightningDataModule):
    class_names = ("pet", "background", "border")

    def __init__(self, side: int) -> None:
        super().__init__()
        self.image_size = (side, side)

    def train_dataloader(self) -> DataLoader[Any]:
        return batches()


def make_trainer(**options: Any) -> pl.Trainer:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return pl.Trainer(accelerator="cpu", **{"max_epochs": 1, **quiet, **options})


def copy_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in module.state_dict().items()}


def changed(before: dict[str, Tensor], after: nn.Module) -> set[str]:
    return {name for name, values in after.state_dict().items() if not torch.equal(values, before[name])}


def refusal(kind: type[UserError], **options: Any) -> str:
    with pytest.raises(kind) as caught:
        make_task(**options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The network


@pytest.mark.parametrize("arch", CASES)
def test_logits_are_those_of_smp_itself_on_pictures_of_any_size(arch: str) -> None:
    kind, encoder_name, options, multiple = CASES[arch]
    task = make_task(num_classes=4, arch=arch, encoder_name=encoder_name, arch_options=options).eval()
    reference = getattr(smp, kind)(encoder_name=encoder_name, encoder_weights=None, classes=4, **options).eval()
    reference.load_state_dict(task.model.state_dict())
    # PAN halves the map of a 16th three more times.
    height, width = (133, 150) if arch == "pan" else (70, 100)
    images = random_images(height, width)
    padded = F.pad(imagenet_pictures(images), (0, -width % multiple, 0, -height % multiple), mode="reflect")

    with torch.no_grad():
        logits, expected = task(images), reference(padded)[..., :height, :width]

    assert task.reduction == multiple
    assert logits.shape == (2, 4, height, width)
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-4)


def test_every_architecture_of_smp_is_tested() -> None:
    assert CASES.keys() == smp.MODEL_ARCHITECTURES_MAPPING.keys()


@pytest.mark.parametrize("encoder_name", ["tu-mobilenetv3_small_050", "tu-hrnet_w18_small", "timm-regnetx_002"])
def test_encoders_of_timm_take_multiples_of_32(encoder_name: str) -> None:
    task = make_task(encoder_name=encoder_name).eval()
    assert task.reduction == 32
    with torch.no_grad():
        assert task(random_images(70, 41)).shape == (2, 3, 70, 41)


def test_capital_letters_do_not_matter_and_are_not_stored() -> None:
    task = make_task(arch="UnetPlusPlus")
    assert isinstance(task.model, smp.UnetPlusPlus)
    assert task.hparams["arch"] == "unetplusplus"


def test_options_reach_the_architecture() -> None:
    head = make_task(arch_options={"decoder_channels": [64, 32, 16, 8, 4]}).model.get_submodule("segmentation_head.0")
    assert isinstance(head, nn.Conv2d)
    assert head.in_channels == 4


# What smp cannot do


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "unet+"}, "arch 'unet+' does not exist; the nearest names are unet, "),
        ({"encoder_name": "resnt18"}, "encoder_name 'resnt18' does not exist; the nearest names are resnet18, "),
        ({"encoder_name": "tu-resnt18"}, "encoder_name 'tu-resnt18' does not exist; the nearest names are tu-resnet18"),
        ({"encoder_name": "tu-resnet18.a9_in1k"}, "the nearest names are tu-resnet18.a3_in1k, tu-resnet18.a2_in1k, "),
        ({"arch": "unetplusplus", "encoder_name": "mit_b0"}, "smp cannot build unetplusplus with mit_b0: UnetPlusPlus"),
        (
            {"arch": "linknet", "encoder_name": "mit_b0"},
            "smp cannot build linknet with mit_b0: Encoder `mit_b0` is not",
        ),
        (
            {"arch": "deeplabv3", "encoder_name": "xception"},
            "pooling operation for downsampling!; give an encoder that",
        ),
        ({"arch": "pan", "encoder_name": "tu-vgg11"}, "pan with tu-vgg11: AssertionError; give an encoder that can be"),
        ({"arch": "fpn", "encoder_name": VIT}, "Unsupported model downsampling pattern.; give another arch, encoder"),
        (
            {"arch": "dpt"},
            "Only Timm encoders are supported for DPT. Encoder name must start with 'tu-', got mobilenet",
        ),
        ({"arch_options": {"decoder_channels": [8, 4]}}, "and {'decoder_channels': [8, 4]}: Model depth is 5, but"),
        (
            {"arch_options": {"decoder_attention_type": "typo"}},
            "smp cannot build unet with mobilenet_v2 and {'decoder_a",
        ),
    ],
)
def test_what_cannot_be_built_is_one_line(options: dict[str, Any], message: str) -> None:
    assert message in refusal(ConfigError, **options)


@pytest.mark.parametrize(
    ("encoder_name", "options", "message"),
    [
        (
            "mobilenet_v2",
            {"decoder_chanels": [1]},
            "'decoder_chanels' does not exist; the nearest names are decoder_ch",
        ),
        ("mobilenet_v2", {"decoder_use_batchnorm": False}, "does not exist; the nearest names are decoder_use_norm, "),
        ("mobilenet_v2", {"drop_rate": 0.5}, "unet with mobilenet_v2: arch_options 'drop_rate' does not exist"),
        ("tu-resnet18", {"drop_rat": 0.5}, "ResNet.__init__() got an unexpected keyword argument 'drop_rat'"),
        ("tu-resnet18", {"drop_rat": None}, "unet with tu-resnet18: arch_options 'drop_rat' does not exist"),
        ("tu-resnet18", {"_drop_rate": 0.5}, "unet with tu-resnet18: arch_options '_drop_rate' does not exist"),
        ("tu-resnet18", {"checkpoint_path": "x.pth"}, "arch_options checkpoint_path: weights are chosen by encoder_w"),
        ("mobilenet_v2", {"classes": 2}, "arch_options classes: set num_classes; leave it out"),
        ("mobilenet_v2", {"activation": "softmax"}, "activation: the network has to return logits; leave it out"),
        ("mobilenet_v2", {"aux_params": {"classes": 2}}, "aux_params: there is no classification head; leave it out"),
    ],
)
def test_options_without_effect_are_refused(encoder_name: str, options: dict[str, Any], message: str) -> None:
    assert message in refusal(ConfigError, encoder_name=encoder_name, arch_options=options)


def test_options_of_timm_reach_the_encoder() -> None:
    task = make_task(encoder_name="tu-resnet18", arch_options={"drop_path_rate": 0.5})
    assert [module for module in task.model.modules() if type(module).__name__ == "DropPath"]


def test_logits_of_another_size_are_refused() -> None:
    message = refusal(ConfigError, arch="pspnet", arch_options={"encoder_depth": 4})
    assert "pspnet with mobilenet_v2 turns pictures of 128 x 128 into logits of 64 x 64; set upsampling" in message


@pytest.mark.parametrize(
    ("arch", "encoder_name", "options", "reason"),
    [("pan", "mobilenet_v2", {}, "Output size is too small"), ("dpt", VIT, SMALL_DPT, "doesn't match model")],
)
def test_pictures_of_a_size_that_the_network_cannot_take(
    arch: str, encoder_name: str, options: dict[str, Any], reason: str
) -> None:
    task = make_task(arch=arch, encoder_name=encoder_name, arch_options=options)
    with pytest.raises(
        ConfigError, match=f"^{arch} with {encoder_name} cannot take pictures of 64 x 64: [^\n]*{reason}"
    ):
        make_trainer().fit(task, Pictures(64))


def test_example_of_a_vision_transformer_has_the_size_it_was_built_for() -> None:
    fixed = make_task(arch="dpt", encoder_name=VIT, arch_options=SMALL_DPT)
    chosen = make_task(arch="dpt", encoder_name=VIT, arch_options={"img_size": [96, 128], **SMALL_DPT})
    for task, size in ((fixed, (224, 224)), (chosen, (96, 128))):
        assert isinstance(task.example_input_array, Tensor)
        assert task.example_input_array.shape[-2:] == size


# The encoder's weights


MoveHub = Callable[[str, Path], None]
Publish = Callable[[str, str, dict[str, Tensor], dict[str, Any]], None]


@pytest.fixture
def publish_mobilenet(publish: Publish) -> Callable[..., dict[str, Tensor]]:
    """As if smp had published these weights of MobileNetV2 for all of ImageNet's classes."""

    def publish_it(**config: Any) -> dict[str, Tensor]:
        settings = smp.encoders.encoders["mobilenet_v2"]["pretrained_settings"]["imagenet"]
        torch.manual_seed(7)
        state: dict[str, Tensor] = mobilenet_v2().state_dict()
        publish(settings["repo_id"], settings["revision"], state, config)
        return state

    return publish_it


def test_published_weights_are_fetched_once(
    publish_mobilenet: Callable[..., dict[str, Tensor]], tmp_path: Path, closed_url: str, move_hub: MoveHub
) -> None:
    state = publish_mobilenet(mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])

    task = make_task(encoder_weights="imagenet")
    move_hub(closed_url, tmp_path / "cache")
    again = make_task(encoder_weights="imagenet")

    for encoder in (task.model.get_submodule("encoder"), again.model.get_submodule("encoder")):
        assert all(torch.equal(values, state[name]) for name, values in encoder.state_dict().items())
    assert task.hparams["normalization"] == {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    images = random_images(2, 2)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]))
    torch.testing.assert_close(task.normalize(images), (images / 255 - mean) / std)


def test_weights_of_timm_are_fetched_by_the_name_of_the_encoder(publish: Publish) -> None:
    name = "mobilenetv3_small_050.lamb_in1k"
    torch.manual_seed(7)
    state = timm.create_model(name).state_dict()
    publish(f"timm/{name}", "main", state, {})

    task = make_task(encoder_name=f"tu-{name}", encoder_weights="imagenet")

    for weights, values in task.model.get_submodule("encoder.model").state_dict().items():
        assert torch.equal(values, state[weights])
    config = timm.models.get_pretrained_cfg(name)
    expected = preprocess_input(random_images(3, 3)[0].permute(1, 2, 0).numpy(), config.mean, config.std, "RGB", (0, 1))
    np.testing.assert_allclose(task.normalize(random_images(3, 3))[0].permute(1, 2, 0), expected, rtol=1e-4, atol=1e-5)


def test_a_given_normalization_is_not_replaced(publish_mobilenet: Callable[..., dict[str, Tensor]]) -> None:
    publish_mobilenet(mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])
    task = make_task(encoder_weights="imagenet", normalization="unit")
    assert task.hparams["normalization"] == "unit"


@pytest.mark.parametrize("encoder_name", ["mobilenet_v2", "tu-mobilenetv3_small_050"])
def test_nobody_to_fetch_from_is_told_at_once(encoder_name: str, no_hub: str) -> None:
    start = time.monotonic()
    message = refusal(DownloadError, encoder_name=encoder_name, encoder_weights="imagenet")
    assert time.monotonic() - start < 5
    assert message.startswith(no_hub)
    assert "cannot be fetched" in message
    assert message.endswith("give a local copy with --model.encoder_weights FILE, or null to start from random weights")


@pytest.mark.usefixtures("publish")
def test_weights_that_are_not_published() -> None:
    assert "404" in refusal(DownloadError, encoder_weights="imagenet")


def test_mistakes_are_told_before_anything_is_fetched(no_hub: str) -> None:
    assert "typo" in refusal(ConfigError, encoder_weights="imagenet", arch_options={"typo": 1})


@pytest.mark.parametrize(
    ("encoder_name", "weights", "choices"),
    [
        ("resnet18", "noisy-student", "resnet18 has imagenet, ssl, swsl; give one of them, a file or null"),
        ("tu-resnet18", "a1_in1k", "tu-resnet18 has imagenet (variants are named as encoders: tu-resnet18.a1_in1k, "),
        ("tu-resnet14t.untrained", "imagenet", "does not exist"),
    ],
)
def test_unknown_weights_are_told_with_the_known_ones(encoder_name: str, weights: str, choices: str) -> None:
    kind = ConfigError if "untrained" in encoder_name else WeightsError
    assert choices in refusal(kind, encoder_name=encoder_name, encoder_weights=weights)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_in_the_published_layout_fills_the_encoder(
    suffix: str, tmp_path: Path, no_hub: str, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(3)
    state = mobilenet_v2().state_dict()
    path = tmp_path / f"mobilenet.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)

    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        task = make_task(encoder_weights=str(path))

    filled = task.model.get_submodule("encoder").state_dict()
    assert all(torch.equal(values, state[name]) for name, values in filled.items())
    assert task.hparams["normalization"] == "imagenet"
    assert caplog.messages == [f"{path} does not say which normalization it expects: imagenet is taken"]


def test_a_file_of_another_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "resnet34.pth"
    torch.save(smp.encoders.get_encoder("resnet34", weights=None).state_dict(), path)
    # All entries of the smaller network are there, and further ones.
    message = refusal(WeightsError, encoder_name="resnet18", encoder_weights=str(path))
    assert message.startswith(f"{path}: these are weights of another network than ResNetEncoder: ")
    assert "no such weights file" in refusal(WeightsError, encoder_weights=str(tmp_path / "none.pth"))


@pytest.mark.parametrize(
    "settings",
    [
        {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "input_space": "RGB", "input_range": [0, 1]},
        {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.6, 0.7], "input_space": "RGB", "input_range": [0, 1]},
        {"mean": [120.0, 110.0, 100.0], "std": [60.0, 50.0, 1.0], "input_space": "RGB", "input_range": [0, 255]},
    ],
)
def test_normalization_is_smps_preprocessing(settings: dict[str, Any]) -> None:
    images = random_images(5, 7)
    expected = preprocess_input(images.permute(0, 2, 3, 1).numpy().astype(np.float64), **settings)

    normalized = Normalize(normalization_of(settings, "resnet18"))(images)

    np.testing.assert_allclose(normalized.permute(0, 2, 3, 1), expected, rtol=1e-4, atol=1e-5)


def test_normalization_in_other_words() -> None:
    imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert normalization_of({**imagenet, "input_space": "RGB", "input_range": [0, 1]}, "resnet18") == "imagenet"
    with pytest.raises(ConfigError, match="vgg16 with caffe expects BGR pictures, but they are RGB here"):
        normalization_of({**imagenet, "input_space": "BGR", "input_range": [0, 255]}, "vgg16 with caffe")
    assert pretrained_normalization("mobilenet_v2", None) == "imagenet"
    # timm knows without asking.
    assert pretrained_normalization(VIT, "file.pth") == {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


# Training and checkpoints


@pytest.mark.parametrize(
    ("arch", "encoder_name"), [("unet", "timm-efficientnet-b0"), ("deeplabv3plus", "mobilenet_v2"), ("fpn", "resnet18")]
)
def test_frozen_encoder_is_the_same_bit_by_bit_after_training(arch: str, encoder_name: str) -> None:
    task = make_task(arch=arch, encoder_name=encoder_name, freeze_encoder=True)
    encoder, decoder = copy_of(task.model.get_submodule("encoder")), copy_of(task.model.get_submodule("decoder"))

    make_trainer(max_epochs=2).fit(task, Pictures(64))

    assert changed(encoder, task.model.get_submodule("encoder")) == set()
    assert changed(decoder, task.model.get_submodule("decoder")) == set(decoder)


def test_freezing_options_reach_the_encoder() -> None:
    task, trainer = make_task(freeze_encoder_norm=True, lr=0.01, encoder_lr_factor=0.1), make_trainer()
    before = copy_of(task.model)

    trainer.fit(task, Pictures(64))

    after = changed(before, task.model)
    assert "encoder.features.0.0.weight" in after
    assert {name.split(".")[0] for name in after if "running" in name} == {"decoder"}
    assert {round(group["lr"], 6) for group in trainer.optimizers[0].param_groups} == {0.001, 0.01}


def test_freezing_random_weights_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        make_task(freeze_encoder=True)
    assert "freeze_encoder is on and encoder_weights is null, so random features would stay" in caplog.text


@pytest.fixture
def checkpoint(
    publish_mobilenet: Callable[..., dict[str, Tensor]], tmp_path: Path, closed_url: str, move_hub: MoveHub
) -> tuple[SmpTask, Path]:
    """A trained task of published weights, its checkpoint, and no hub any more."""
    publish_mobilenet(mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])
    task, trainer = make_task(encoder_weights="imagenet", arch="FPN", arch_options={"upsampling": 4}), make_trainer()
    trainer.fit(task, Pictures(64))
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    move_hub(closed_url, tmp_path / "empty")
    return task.eval(), tmp_path / "task.ckpt"


def test_checkpoint_loads_without_network(checkpoint: tuple[SmpTask, Path]) -> None:
    task, path = checkpoint

    stored = torch.load(path, weights_only=True)["hyper_parameters"]
    loaded = SmpTask.load_from_checkpoint(path, map_location="cpu").eval()

    assert {name: stored[name] for name in ("arch", "encoder_name", "encoder_weights", "arch_options")} == {
        "arch": "fpn",
        "encoder_name": "mobilenet_v2",
        "encoder_weights": "imagenet",
        "arch_options": {"upsampling": 4},
    }
    assert stored["normalization"] == {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    with torch.no_grad():
        assert torch.equal(loaded(random_images(70, 41)), task(random_images(70, 41)))


@pytest.mark.parametrize(
    ("given", "expected"), [(None, {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}), ("unit",) * 2]
)
def test_checkpoint_of_the_trainer_brings_the_normalization_that_was_not_given(
    checkpoint: tuple[SmpTask, Path], given: Any, expected: object
) -> None:
    _, path = checkpoint
    with without_pretrained():
        task = make_task(encoder_weights="imagenet", arch="fpn", normalization=given)

    make_trainer().validate(task, batches(), ckpt_path=path, verbose=False, weights_only=True)

    assert (task.hparams["normalization"], task.hparams_initial["normalization"]) == (expected, expected)
    images = random_images(2, 2)
    torch.testing.assert_close(task.normalize(images), Normalize(expected)(images))  # type: ignore[arg-type]


# The command line


def test_fit_test_and_predict(pets_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
    flags = ["--model", "SmpTask", "--model.arch", "unetplusplus", "--model.encoder_name", "timm-efficientnet-b0"]
    flags += ["--model.encoder_weights", "null", "--model.arch_options", "{decoder_channels: [32, 16, 16, 8, 8]}"]
    flags += ["--data", "OxfordPetsDataModule", "--data.root", str(pets_root), "--data.download", "false"]
    flags += ["--data.image_size", "64", "--data.batch_size", "4", "--data.num_workers", "0"]
    flags += ["--trainer.default_root_dir", str(tmp_path), "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]

    assert main(["fit", *flags, *quiet, "--trainer.limit_train_batches", "2"]) == 0
    folder = Path(capsys.readouterr().out.strip().splitlines()[-1])
    assert main(["test", "--run", str(folder), *quiet]) == 0
    assert main(["predict", "--run", str(folder), *quiet]) == 0

    stored = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["hyper_parameters"]
    assert stored["arch_options"] == {"decoder_channels": [32, 16, 16, 8, 8]}
    assert list((folder / "predictions").rglob("*.png"))
