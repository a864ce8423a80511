"""Fine classes summed into coarse labels."""

from typing import Any

import pytest
import torch

from lightning_seg.datasets.dog_breeds import DOG_BREEDS
from lightning_seg.errors import ConfigError
from lightning_seg.models.imagenet import IMAGENET_CLASSES
from lightning_seg.tasks.class_groups import make_labels

NAMES = ("husky", "tabby", "pug", "car")


def test_pets_are_imagenets_dogs_and_cats() -> None:
    labels = make_labels("pets", IMAGENET_CLASSES)
    assert labels.names == ("dog", "cat")
    assert labels.shares is not None
    assert labels.shares.sum(dim=1).tolist() == [118, 5]
    members = [[IMAGENET_CLASSES[index] for index in row.nonzero()[:, 0].tolist()] for row in labels.shares]
    assert members[0][0] == "Chihuahua"
    assert members[0][-1] == "Mexican hairless"
    assert "timber wolf" not in members[0]
    assert members[1] == ["tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"]


def test_all_breeds_of_stanford_dogs_are_dogs() -> None:
    assert make_labels("stanford_dogs", IMAGENET_CLASSES).indices(DOG_BREEDS) == [0] * 120


def test_probabilities_are_summed() -> None:
    labels = make_labels({"dog": ["husky", 2], "cat": ["tabby"]}, NAMES)
    probs = torch.tensor([0.1, 0.2, 0.3, 0.4]).view(4, 1, 1).expand(4, 2, 3)
    assert labels.of(probs).shape == (2, 2, 3)
    assert labels.of(probs)[:, 0, 0].tolist() == pytest.approx([0.4, 0.2])


def test_without_groups_the_classes_are_reported() -> None:
    labels = make_labels(None, NAMES)
    assert labels.names == NAMES
    assert labels.of(torch.arange(4.0)).tolist() == [0, 1, 2, 3]


def test_a_range_holds_its_ends() -> None:
    labels = make_labels({"some": ["1-2"]}, NAMES)
    assert labels.shares is not None
    assert labels.shares.tolist() == [[0, 1, 1, 0]]


def test_the_background_is_never_reported() -> None:
    labels = make_labels(None, NAMES, background="car")
    assert labels.names == ("husky", "tabby", "pug")
    assert labels.of(torch.tensor([0.1, 0.2, 0.3, 0.4])).tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert make_labels({"dog": ["husky", "pug"]}, NAMES, background="car").names == ("dog",)


def test_classes_of_a_dataset_are_labels_or_belong_to_one() -> None:
    labels = make_labels({"dog": ["husky", "pug"], "big_cat": ["tabby"]}, NAMES, background="car")
    assert labels.indices(["pug", "big cat", "dog", "car"]) == [0, 1, 0, -1]
    assert make_labels(None, NAMES).indices(["pug", "husky"]) == [2, 0]
    message = r"^'horse' is a class of the data and none of the detector's labels, which are dog, big_cat; name it"
    with pytest.raises(ConfigError, match=message):
        labels.indices(["dog", "horse"])


def test_backgrounds_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="background: class 'grass' does not exist"):
        make_labels(None, NAMES, background="grass")
    with pytest.raises(ConfigError, match="'thing' holds the background, 'car'; take it out"):
        make_labels({"thing": ["pug", "car"]}, NAMES, background="car")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("petz", "class_groups 'petz' does not exist; the nearest names are pets"),
        ("pets", "class_groups pets sums ImageNet's 1,000 classes, this network has others"),
        ({"dog": ["huskie"]}, "class 'huskie' does not exist; the nearest names are husky"),
        ({"dog": [4]}, "'dog' names class 4, there are 0 to 3"),
        ({"dog": ["2-9"]}, "'dog' names class 4"),
        ({"dog": ["3-1"]}, "3-1 holds no class; give the lower number first, 1-3"),
        ({}, "there is no group; give some, for instance pets, or leave it out"),
        ({"dog": []}, "'dog' needs a list of classes"),
        ({"dog": "husky"}, "'dog' needs a list of classes"),
        ({"dog": ["husky", "pug"], "pet": ["pug"]}, "'pug' stands twice, the second time in 'pet'"),
        ({"dog": ["husky", 0]}, "'husky' stands twice"),
    ],
)
def test_mistakes(groups: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_labels(groups, NAMES)
