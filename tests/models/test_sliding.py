import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision.models import Weights, WeightsEnum, mobilenet_v2, vgg16

from lightning_seg.errors import ConfigError, DownloadError, ModelError, UserError, WeightsError
from lightning_seg.images import read_image
from lightning_seg.models.normalization import Normalize
from lightning_seg.models.sliding import classifier as sliding_module
from lightning_seg.models.sliding.backbones import TORCHVISION, create_sliding, sliding_normalization
from lightning_seg.models.sliding.classifier import FlattenedHead, SlidingClassifier
from lightning_seg.models.sliding.weights import numpy_vgg16_state
from lightning_seg.models.weights import without_pretrained

# Whole families of timm in their smallest form; mobilenetv3 has a convolution behind its pooling, convnext a norm.
TIMM = ["test_resnet", "test_efficientnet", "test_byobnet", "test_convnext", "test_nfnet", "mobilenetv3_small_050"]
BACKBONES = ["mobilenet_v2", *TIMM]
SIZES = [(1, 1), (1, 3), (4, 2)]


def library_network(backbone: str, num_classes: int) -> nn.Module:
    builders: dict[str, Callable[..., nn.Module]] = {"mobilenet_v2": mobilenet_v2, "vgg16": vgg16}
    if backbone in builders:
        return builders[backbone](num_classes=num_classes).eval()
    network: nn.Module = timm.create_model(backbone, num_classes=num_classes)
    return network.eval()


def library_name(entry: str) -> str:
    """The name of an entry in the library, by what ``create_sliding`` says about the layout."""
    if ".network." in entry:
        return entry.partition(".network.")[2]
    return entry.replace("encoder.", "features.", 1) if entry.startswith("encoder.") else entry.removeprefix("head.")


def library_state(sliding: SlidingClassifier) -> dict[str, Tensor]:
    return {library_name(name): values for name, values in sliding.state_dict().items()}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def random_images(*shape: int) -> Tensor:
    """Noise that is not the same everywhere: squares of 32 pixels have their own brightness."""
    generator = torch.Generator().manual_seed(0)
    batch, channels, height, width = shape
    squares = torch.randn(batch, channels, height // 32, width // 32, generator=generator)
    return squares.repeat_interleave(32, 2).repeat_interleave(32, 3) + torch.randn(shape, generator=generator)


def loop_over_windows(sliding: SlidingClassifier, images: Tensor) -> Tensor:
    """The head on every window of the feature map, one after the other."""
    features, cells = sliding.encoder(images), sliding.cells
    rows, columns = (side - cells + 1 for side in features.shape[-2:])
    logits = [
        [sliding.head(features[:, :, row : row + cells, column : column + cells]) for column in range(columns)]
        for row in range(rows)
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in logits], dim=-2)


def assert_same(given: Tensor, expected: Tensor, tolerance: float) -> None:
    """To a share of the largest value, because logits of random weights may all be tiny."""
    scale = expected.abs().max().item()
    assert scale > 0
    torch.testing.assert_close(given / scale, expected / scale, rtol=0, atol=tolerance)


@pytest.fixture(scope="module", params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def sliding(backbone: str) -> SlidingClassifier:
    """Windows of 64 pixels; all is random, also what would start at 0 or 1 in norms."""
    torch.manual_seed(0)
    network = create_sliding(backbone, None, num_classes=6, window=64)
    for name, values in network.state_dict().items():
        if values.dim() <= 1 and values.is_floating_point():
            values.uniform_(*((-0.5, 0.5) if name.endswith(("bias", "mean")) else (0.5, 1.5)))
    return network.eval()


@pytest.fixture(scope="module")
def vgg() -> SlidingClassifier:
    """Takes 528 MiB."""
    return create_sliding("vgg16", "numpy:3").eval()


# The two ways of applying a network


@torch.no_grad()
def test_a_window_gets_the_logits_of_the_librarys_network(sliding: SlidingClassifier, backbone: str) -> None:
    reference = library_network(backbone, num_classes=6)
    reference.load_state_dict(library_state(sliding))
    images = random_images(2, 3, 64, 64)
    assert_same(sliding(images), reference(images), 1e-5)
    assert_same(sliding.head(sliding.encoder(images)), reference(images), 1e-5)
    assert count(sliding.encoder) + count(sliding.head) == count(reference)


@torch.no_grad()
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_all_windows_get_the_logits_of_the_head(sliding: SlidingClassifier, rows: int, columns: int) -> None:
    images = random_images(2, 3, 32 + 32 * rows, 32 + 32 * columns)
    logits = sliding.window_logits(images)
    assert logits.shape == (2, 6, rows, columns)
    assert_same(logits, loop_over_windows(sliding, images), 1e-5)
    # Windows that are mixed up would show.
    if rows > 1:
        assert (logits[:, :, 0] - logits[:, :, 1]).abs().max() > 1e-3 * logits.abs().max()


def test_training_on_all_windows_trains_the_classifier(sliding: SlidingClassifier) -> None:
    images = random_images(1, 3, 96, 128)
    names, parameters = zip(*sliding.named_parameters(), strict=True)

    def gradients(logits: Tensor) -> tuple[Tensor, ...]:
        weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
        return torch.autograd.grad((logits * weights).sum(), parameters)

    through_map = gradients(sliding.window_logits(images))
    through_windows = gradients(loop_over_windows(sliding, images))
    for name, given, expected in zip(names, through_map, through_windows, strict=True):
        scale = expected.abs().max().item()
        assert scale > 0 or not name.startswith("head.")
        torch.testing.assert_close(given, expected, rtol=0, atol=1e-3 * scale)


def test_nothing_belongs_to_both_parts(sliding: SlidingClassifier) -> None:
    encoder, head = ({id(one) for one in part.parameters()} for part in (sliding.encoder, sliding.head))
    assert encoder
    assert head
    assert not encoder & head
    assert encoder | head == {id(one) for one in sliding.parameters()}
    assert not set(sliding.encoder.modules()) & set(sliding.head.modules())


@torch.no_grad()
def test_vgg16_gives_a_window_what_torchvision_gives_it(vgg: SlidingClassifier) -> None:
    assert (vgg.window, vgg.stride, vgg.cells) == (224, 32, 7)
    assert (count(vgg.encoder), count(vgg.head)) == (14_714_688, 123_642_856)
    with torch.device("meta"):
        reference = vgg16().eval()
    reference.load_state_dict(library_state(vgg), assign=True)
    images = random_images(1, 3, 224, 224)
    logits = reference(images)
    assert torch.equal(vgg(images), logits)
    # He's scale neither blows up nor dies away over 16 layers.
    assert 0.1 < logits.std() < 10


@torch.no_grad()
def test_vgg16_gives_all_windows_what_its_head_gives_them(vgg: SlidingClassifier) -> None:
    images = random_images(1, 3, 224, 256)
    logits = vgg.window_logits(images)
    assert logits.shape == (1, 1000, 1, 2)
    assert_same(logits, loop_over_windows(vgg, images), 1e-5)


# A head on flattened windows, small


def small_flattened(num_classes: int = 5) -> SlidingClassifier:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    classifier = nn.Sequential(nn.Linear(4 * 9, 700), nn.ReLU(), nn.Dropout(), nn.Linear(700, num_classes))
    return SlidingClassifier(encoder, FlattenedHead(classifier, cells=3), stride=2).eval()


def test_windows_by_hand() -> None:
    """Cells are means of 2 x 2 pixels; the first class is their sum, the second the third channel's lower right one."""
    first = nn.Linear(12, 2, bias=True)
    with torch.no_grad():
        first.weight.copy_(torch.stack([torch.ones(12), torch.eye(12)[11]]))
        first.bias.copy_(torch.tensor([0.0, 0.5]))
    network = SlidingClassifier(nn.AvgPool2d(2), FlattenedHead(nn.Sequential(first), cells=2), stride=2)
    assert (network.window, network.stride, network.cells) == (4, 2, 2)

    image = torch.zeros(1, 3, 4, 6)
    image[0, 2, 2:, 4:] = 4.0  # the cell at row 1 and column 2
    image[0, 0, 0, 0] = 8.0  # a quarter of the cell at row 0 and column 0
    assert network.window_logits(image).tolist() == [[[[2.0, 4.0]], [[0.5, 4.5]]]]
    assert network(image[..., 2:]).tolist() == [[4.0, 4.5]]


@pytest.mark.parametrize("at_once", [1, 7, 12, 512])
def test_windows_are_the_same_however_many_are_in_memory(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(sliding_module, "WINDOWS_AT_ONCE", at_once)
    network = small_flattened()
    images = random_images(2, 3, 32, 32)[:, :, :16, :12].contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        assert network.window_logits(images).shape == (2, 5, 6, 4)
        assert_same(network.window_logits(images), loop_over_windows(network, images), 1e-6)


def test_gradients_of_flattened_windows() -> None:
    network = small_flattened()
    images = random_images(1, 3, 32, 32)[:, :, :12, :10]
    found = []
    for logits in (network.window_logits(images), loop_over_windows(network, images)):
        found.append(torch.autograd.grad(logits.square().sum(), tuple(network.parameters())))
    for given, expected in zip(*found, strict=True):
        assert_same(given, expected, 1e-5)


@pytest.mark.parametrize(("height", "width"), [(4, 6), (6, 4), (7, 8), (8, 9)])
def test_pictures_that_no_window_fits_are_refused(height: int, width: int) -> None:
    with pytest.raises(
        ModelError,
        match=rf"^pictures of {height} x {width} pixels do not fit windows of 6: both sides must be 6 or more and "
        r"multiples of 2; resize or pad them$",
    ):
        small_flattened().window_logits(torch.zeros(1, 3, height, width))


def test_the_classifier_takes_a_window_alone() -> None:
    with pytest.raises(ModelError, match=r"^pictures of 6 x 8 pixels do not fit .* windows of 6 x 6; resize them$"):
        small_flattened()(torch.zeros(1, 3, 6, 8))


# Networks that cannot slide


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        ("resnt18", {}, r"backbone 'resnt18' does not exist; the nearest names are resnet18, "),
        ("vgg61", {}, r"backbone 'vgg61' does not exist; the nearest names are .*vgg16"),
        ("resnet18.a9_in1k", {}, r"backbone 'resnet18.a9_in1k' does not exist; the nearest names are resnet18\."),
        (
            "test_vit",
            {},
            r"backbone test_vit has no feature map that grows evenly with the picture; give another one, ",
        ),
        ("test_mambaout", {}, r"backbone test_mambaout has no feature map that grows evenly"),
        ("test_resnet", {"window": 100}, r"window 100 .* test_resnet, .* a cell per 32 pixels; set window 96 or 128"),
        ("mobilenet_v2", {"window": 20}, r"window 20 .* mobilenet_v2, .* a cell per 32 pixels; set window 32 or 64"),
        ("efficientnet_b1", {}, r"window 240 .* efficientnet_b1, .* per 32 pixels; set window 224 or 256"),
        ("vgg16", {"window": 256}, r"window 256 does not go with vgg16, whose head is for 224; set it null"),
    ],
)
def test_networks_that_cannot_slide(backbone: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        create_sliding(backbone, None, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pooling", ["max", "catavgmax"])
def test_a_head_that_does_not_average_is_refused(monkeypatch: pytest.MonkeyPatch, pooling: str) -> None:
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *given, **options: create(*given, **options, global_pool=pooling))
    with pytest.raises(ConfigError, match=r"^the head of backbone test_resnet does more with the feature map than "):
        create_sliding("test_resnet", None)


def test_window_is_what_the_network_was_made_for() -> None:
    made_for_160 = create_sliding("test_resnet", None, num_classes=2)
    assert (made_for_160.window, made_for_160.stride, made_for_160.cells) == (160, 32, 5)
    assert create_sliding("mobilenet_v2", None).window == 224
    assert made_for_160.training


# Weights


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "test_resnet"])
@pytest.mark.parametrize("classes", [(7, 7), (7, 3), (None, 3)])
def test_a_file_with_its_own_number_of_classes_or_another(
    backbone: str, classes: tuple[int | None, int], tmp_path: Path
) -> None:
    of_file, num_classes = classes
    torch.manual_seed(5)
    state = library_network(backbone, of_file or 7).state_dict()
    last = {name for name in state if name in ("classifier.1.weight", "classifier.1.bias", "fc.weight", "fc.bias")}
    assert len(last) == 2
    path = tmp_path / "weights.pth"
    torch.save({name: values for name, values in state.items() if of_file or name not in last}, path)

    filled = library_state(create_sliding(backbone, str(path), num_classes))

    same = {name for name, values in filled.items() if values.shape == state[name].shape and values.equal(state[name])}
    assert set(filled) == set(state)
    assert same >= set(state) - last
    if of_file == num_classes:
        assert same >= last
    else:
        bias, weight = (filled[name] for name in sorted(last))
        assert (len(bias), len(weight)) == (num_classes, num_classes)
        # torchvision's start with a deviation of 0.01; timm's ResNets as torch's linear layers.
        assert weight.std().item() == pytest.approx(0.01 if backbone == "mobilenet_v2" else (3 * 96) ** -0.5, rel=0.1)


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "test_resnet"])
def test_weights_of_another_network_are_refused(backbone: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(library_network("test_efficientnet", 1000).state_dict(), path)
    with pytest.raises(WeightsError, match=r"other.pth: these are weights of another network than \w+: [^\n]*$"):
        create_sliding(backbone, str(path))
    with pytest.raises(WeightsError, match=r"none.pth: no such weights file[^\n]*$"):
        create_sliding(backbone, str(tmp_path / "none.pth"))
    with without_pretrained():
        assert create_sliding(backbone, str(tmp_path / "none.pth"))


@pytest.mark.parametrize(
    ("backbone", "weights", "message"),
    [
        ("mobilenet_v2", "numpy:0", "weights 'numpy:0' are for vgg16, not for mobilenet_v2; give imagenet, a file or "),
        ("resnet18", "numpy:0", "weights 'numpy:0' are for vgg16, not for resnet18"),
        ("vgg16", "numpy:", "weights 'numpy:': a seed of 0 or more must follow numpy:, for instance numpy:0"),
        ("vgg16", "numpy:-1", "weights 'numpy:-1': a seed of 0 or more must follow"),
        ("test_resnet", "a1_in1k", "weights 'a1_in1k' does not exist; give imagenet, a file or null"),
    ],
)
def test_weights_that_do_not_exist(backbone: str, weights: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        create_sliding(backbone, weights)


@pytest.mark.parametrize("num_classes", [11, 4])
def test_published_weights_of_torchvision(
    num_classes: int, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    folder = tmp_path / "www"
    folder.mkdir()
    torch.manual_seed(5)
    state = mobilenet_v2(num_classes=11).state_dict()
    torch.save(state, folder / "weights.pth")
    name = f"weights-{hashlib.sha256((folder / 'weights.pth').read_bytes()).hexdigest()[:8]}.pth"
    (folder / "weights.pth").rename(folder / name)
    publish(monkeypatch, serve(folder) + name)

    filled = library_state(create_sliding("mobilenet_v2", "imagenet", num_classes))

    same = [filled[name].shape == values.shape and filled[name].equal(values) for name, values in state.items()]
    assert sum(not one for one in same) == (0 if num_classes == 11 else 2)
    assert filled["classifier.1.weight"].shape == (num_classes, 1280)


def test_nobody_to_fetch_from(closed_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    publish(monkeypatch, closed_url + "weights-01234567.pth")
    with pytest.raises(DownloadError, match=rf"^{closed_url}weights-01234567.pth: cannot be downloaded[^\n]*$"):
        create_sliding("mobilenet_v2", "imagenet", 11)


def publish(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    meta = {"categories": [f"class {number}" for number in range(11)]}
    published = WeightsEnum("Published", {"V1": Weights(url=url, transforms=None, meta=meta)}).V1
    recipe = TORCHVISION["mobilenet_v2"]._replace(published=published)
    monkeypatch.setitem(TORCHVISION, "mobilenet_v2", recipe)


def test_normalization_is_what_the_weights_expect() -> None:
    assert sliding_normalization("vgg16", "imagenet") == "imagenet"
    assert sliding_normalization("mobilenet_v2", "weights.pth") == "imagenet"
    assert sliding_normalization("resnet18", "imagenet") == "imagenet"
    assert sliding_normalization("inception_v3.tf_in1k", None) == "imagenet"
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    assert sliding_normalization("inception_v3.tf_in1k", "weights.pth") == half


# VGG16's weights from a seed


def test_vgg16_is_drawn_as_the_recipe_says(vgg: SlidingClassifier) -> None:
    """The layers are counted from VGG16's channels, and what Keras would hold is compared number by number."""
    state = library_state(vgg)
    rng = np.random.default_rng(3)
    channels, position = 3, 0
    for block in ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)):
        for width in block:
            weight = rng.standard_normal((width, channels, 3, 3), dtype=np.float32)
            weight *= np.float32(math.sqrt(2 / (9 * channels)))
            assert np.array_equal(state.pop(f"features.{position}.weight").numpy(), weight)
            bias = rng.standard_normal(width, dtype=np.float32) * np.float32(0.01)
            assert np.array_equal(state.pop(f"features.{position}.bias").numpy(), bias)
            channels, position = width, position + 2
        position += 1
    for position, (inputs, outputs) in ((0, (25088, 4096)), (3, (4096, 4096)), (6, (4096, 1000))):
        weight = rng.standard_normal((outputs, inputs), dtype=np.float32)
        weight *= np.float32(math.sqrt(2 / inputs))
        assert np.array_equal(state.pop(f"classifier.{position}.weight").numpy(), weight)
        bias = rng.standard_normal(outputs, dtype=np.float32) * np.float32(0.01)
        assert np.array_equal(state.pop(f"classifier.{position}.bias").numpy(), bias)
    assert not state


@torch.no_grad()
def test_keras_layouts_compute_the_same(vgg: SlidingClassifier) -> None:
    """What the recipe says about Keras, in numpy: channels last, and features flattened row by row."""
    state = library_state(vgg)
    rng = np.random.default_rng(0)

    features = rng.random((512, 7, 7), dtype=np.float32)
    first = state["classifier.0.weight"][:16].numpy()
    kernel = first.reshape(16, 512, 7, 7).transpose(2, 3, 1, 0).reshape(25088, 16)
    assert np.allclose(features.transpose(1, 2, 0).reshape(-1) @ kernel, first @ features.reshape(-1), atol=1e-4)

    image = rng.random((3, 3, 3), dtype=np.float32)
    kernel = state["features.0.weight"].numpy().transpose(2, 3, 1, 0)
    expected = nn.functional.conv2d(torch.from_numpy(image)[None], state["features.0.weight"])
    channels_last = np.einsum("hwc,hwco->o", image.transpose(1, 2, 0), kernel)
    assert np.allclose(channels_last, expected.flatten().numpy(), atol=1e-5)


def test_another_seed_draws_other_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    # The large layers are drawn last.
    monkeypatch.setattr("lightning_seg.models.sliding.weights.LINEAR", {})
    one, same, other = (numpy_vgg16_state(seed)["features.28.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


# Real weights


@pytest.mark.real_data
@torch.no_grad()
def test_a_dog_at_the_left_and_a_cat_at_the_right(real_data: Path) -> None:
    """ImageNet's classes 151 to 268 are dogs, 281 to 285 cats."""
    path = real_data / "weights" / "mobilenet_v2_imagenet.pth"
    network = create_sliding("mobilenet_v2", str(path)).eval()
    reference = mobilenet_v2().eval()
    reference.load_state_dict(torch.load(path, weights_only=True))
    image = torch.from_numpy(read_image(real_data / "cat_dog" / "cat_dog.jpg")).permute(2, 0, 1)[None]
    resized = nn.functional.interpolate(image.float(), size=(448, 608), mode="area").round().byte()
    images = Normalize("symmetric")(resized)
    torch.testing.assert_close(network(images[:, :, :224, :224]), reference(images[:, :, :224, :224]))

    probs = network.window_logits(images).softmax(dim=1)[0]
    assert probs.shape == (1000, 8, 13)
    dog, cat = probs[151:269].sum(dim=0), probs[281:286].sum(dim=0)
    middle = (13 - 1) / 2
    assert dog.max() > 0.5
    assert cat.max() > 0.5
    assert int(dog.argmax()) % 13 < middle < int(cat.argmax()) % 13
