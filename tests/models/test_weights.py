import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import MobileNet_V2_Weights, Weights, WeightsEnum, mobilenet_v2, resnet18

from lightning_seg.errors import DownloadError, WeightsError
from lightning_seg.models.mobilenetv2_unet import MobileNetV2Encoder
from lightning_seg.models.weights import load_pretrained, without_pretrained

PUBLISHED = MobileNet_V2_Weights.IMAGENET1K_V1


def load(part: MobileNetV2Encoder, path: Path) -> None:
    load_pretrained(part, str(path), PUBLISHED)


def published_at(url: str) -> WeightsEnum:
    return WeightsEnum("Published", {"V1": Weights(url=url, transforms=None, meta={})}).V1


@pytest.fixture(scope="module")
def published_state() -> Mapping[str, Tensor]:
    """Weights of the whole network under torchvision's names, none of which a fresh encoder has."""
    torch.manual_seed(0)
    state = mobilenet_v2(weights=None).state_dict()
    return {name: torch.rand(values.shape).to(values.dtype) for name, values in state.items()}


@pytest.fixture(scope="module")
def weights_file(published_state: Mapping[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.pth"
    torch.save(dict(published_state), path)
    return path


@pytest.fixture
def encoder() -> MobileNetV2Encoder:
    return MobileNetV2Encoder()


@pytest.fixture
def torch_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    return tmp_path / "torch_home"


def holds(part: MobileNetV2Encoder, state: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(values, state[name]) for name, values in part.state_dict().items())


def copy_of(part: MobileNetV2Encoder) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in part.state_dict().items()}


def test_file_in_torchvisions_layout_fills_every_entry(
    encoder: MobileNetV2Encoder, weights_file: Path, published_state: Mapping[str, Tensor]
) -> None:
    assert not holds(encoder, published_state)
    load(encoder, weights_file)
    assert holds(encoder, published_state)


def test_none_changes_nothing(encoder: MobileNetV2Encoder) -> None:
    before = copy_of(encoder)
    load_pretrained(encoder, None, PUBLISHED)
    assert holds(encoder, before)


def test_without_pretrained_reads_nothing(encoder: MobileNetV2Encoder, tmp_path: Path) -> None:
    before = copy_of(encoder)

    with without_pretrained():
        load(encoder, tmp_path / "missing.pth")
        load_pretrained(encoder, "imagenet", published_at("http://nowhere.invalid/weights.pth"))
    assert holds(encoder, before)
    with pytest.raises(WeightsError):
        load(encoder, tmp_path / "missing.pth")


def test_without_pretrained_ends_with_an_error(encoder: MobileNetV2Encoder, weights_file: Path) -> None:
    before = copy_of(encoder)

    with pytest.raises(KeyError), without_pretrained():
        raise KeyError
    load(encoder, weights_file)
    assert not holds(encoder, before)


def test_missing_file_is_named(encoder: MobileNetV2Encoder, tmp_path: Path) -> None:
    path = tmp_path / "missing.pth"
    with pytest.raises(WeightsError, match=rf"^{re.escape(str(path))}: no such weights file; give a file[^\n]*$"):
        load(encoder, path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 half a zip"])
def test_garbage_is_one_line(encoder: MobileNetV2Encoder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights.pth: torch.load cannot read[^\n]*; give a file[^\n]*$"):
        load(encoder, path)


@pytest.mark.parametrize(
    "content",
    [
        torch.zeros(3),
        {"epoch": 3},
        {"state_dict": {"weight": torch.zeros(3)}},
        {1: torch.zeros(3)},
        {"weight": torch.zeros(3).to_sparse()},
    ],
)
def test_file_without_a_state_dict_is_refused(encoder: MobileNetV2Encoder, tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"expected a state dict[^\n]*; save model.state_dict\(\) into it$"):
        load(encoder, tmp_path / "weights.pth")


def test_weights_of_another_network_are_refused(encoder: MobileNetV2Encoder, tmp_path: Path) -> None:
    before = copy_of(encoder)
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")

    # 17 blocks of 18 tensors, less the expansion of the first (6) and the last BatchNorm (5), and 6 of the stem.
    with pytest.raises(WeightsError, match=r"another network than MobileNetV2Encoder: the file lacks 301 entries"):
        load(encoder, tmp_path / "resnet18.pth")
    assert holds(encoder, before)


def test_other_shapes_are_refused_and_nothing_is_filled(
    encoder: MobileNetV2Encoder, tmp_path: Path, published_state: Mapping[str, Tensor]
) -> None:
    before = copy_of(encoder)
    name = "features.4.conv.0.0.weight"
    torch.save({**published_state, name: torch.zeros(144, 24, 3, 3)}, tmp_path / "weights.pth")

    with pytest.raises(WeightsError, match=rf"has other shapes for 1, the first is {re.escape(name)}; give a file"):
        load(encoder, tmp_path / "weights.pth")
    assert holds(encoder, before)


def test_imagenet_is_downloaded_once(
    encoder: MobileNetV2Encoder,
    weights_file: Path,
    published_state: Mapping[str, Tensor],
    serve: Callable[[Path], str],
    closed_url: str,
    torch_home: Path,
    tmp_path: Path,
) -> None:
    name = f"mobilenet_v2-{hashlib.sha256(weights_file.read_bytes()).hexdigest()[:8]}.pth"
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / name).symlink_to(weights_file)

    load_pretrained(encoder, "imagenet", published_at(serve(tmp_path / "www") + name))

    assert holds(encoder, published_state)
    assert (torch_home / "hub" / "checkpoints" / name).is_file()
    again = MobileNetV2Encoder()
    load_pretrained(again, "imagenet", published_at(closed_url + name))
    assert holds(again, published_state)


def test_download_with_another_hash_is_refused_and_not_kept(
    encoder: MobileNetV2Encoder, serve: Callable[[Path], str], torch_home: Path, tmp_path: Path
) -> None:
    before = copy_of(encoder)
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "mobilenet_v2-0123abcd.pth").write_bytes(b"something else")
    published = published_at(serve(tmp_path / "www") + "mobilenet_v2-0123abcd.pth")

    with pytest.raises(DownloadError, match=r"^http[^\n]*0123abcd[^\n]*--model.encoder_weights FILE[^\n]*$"):
        load_pretrained(encoder, "imagenet", published)
    assert holds(encoder, before)
    assert [path for path in torch_home.rglob("*") if path.is_file()] == []


def test_nobody_to_download_from(encoder: MobileNetV2Encoder, closed_url: str, torch_home: Path) -> None:
    published = published_at(closed_url + "mobilenet_v2-0123abcd.pth")
    with pytest.raises(DownloadError, match=rf"^{closed_url}mobilenet_v2-0123abcd.pth: cannot be downloaded[^\n]*$"):
        load_pretrained(encoder, "imagenet", published)


def test_published_weights_are_named_by_their_hash() -> None:
    assert re.fullmatch(r"https://download\.pytorch\.org/models/mobilenet_v2-[0-9a-f]{8}\.pth", PUBLISHED.url)
