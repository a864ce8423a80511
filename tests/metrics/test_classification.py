import pytest
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score

from lightning_seg.metrics.classification import ClassCounts

NAMES = ("a", "b", "c")


def one_hot(*classes: int, num_classes: int = 3) -> Tensor:
    """Answers that are sure of these classes."""
    return torch.nn.functional.one_hot(torch.tensor(classes), num_classes).float()


def test_values_by_hand() -> None:
    scores = ClassCounts(3)
    scores.update(one_hot(0, 0, 1, 0), torch.tensor([0, 0, 1, 1]))
    scores.update(one_hot(1), torch.tensor([0]))

    # a: 2 right of 3 true and 3 predicted; b: 1 right of 2 true and 2 predicted; c is left out.
    assert scores.take(NAMES) == pytest.approx({"accuracy": 3 / 5, "macro_f1": (4 / 6 + 2 / 4) / 2})
    assert scores.pairs is not None
    assert scores.pairs.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_a_class_that_is_only_predicted_counts() -> None:
    scores = ClassCounts(3)
    scores.update(one_hot(0, 2), torch.tensor([0, 0]))
    assert scores.take(NAMES)["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_counting_begins_anew() -> None:
    scores = ClassCounts(3, may_mix=True)
    scores.update(one_hot(1), torch.tensor([[0.5, 0.5, 0.0]]))
    assert scores.take(NAMES)["accuracy"] == 0
    scores.update(one_hot(1), torch.tensor([1]))
    assert scores.take(NAMES) == {"accuracy": 1, "macro_f1": 1}


@pytest.mark.parametrize("num_classes", [6, 11])
def test_values_are_those_of_torchmetrics(num_classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    answers = torch.randn(157, num_classes, generator=generator)
    # The last class never occurs, and no answer is it.
    answers[:, -1] = -9
    label = torch.randint(0, num_classes - 1, (157,), generator=generator)
    answers[torch.arange(157), label] += 1
    scores = ClassCounts(num_classes)
    # The last batch is a partial one.
    for start in range(0, 157, 32):
        scores.update(answers[start : start + 32], label[start : start + 32])

    values = scores.take([str(index) for index in range(num_classes)])

    expected = {
        "accuracy": MulticlassAccuracy(num_classes, average="micro"),
        "top5_accuracy": MulticlassAccuracy(num_classes, average="micro", top_k=5),
        "macro_f1": MulticlassF1Score(num_classes, average="macro"),
    }
    assert values == pytest.approx({name: metric(answers, label).item() for name, metric in expected.items()})
    assert scores.pairs is not None
    assert torch.equal(scores.pairs, MulticlassConfusionMatrix(num_classes)(answers, label))


def test_of_five_classes_the_true_one_is_always_among_the_first_five() -> None:
    scores = ClassCounts(5)
    scores.update(one_hot(1, num_classes=5), torch.tensor([0]))
    assert scores.take("abcde") == {"accuracy": 0, "macro_f1": 0}
    assert scores.names("abcde") == ["accuracy", "macro_f1"]


def test_mixed_labels_count_the_larger_share_and_what_was_hit() -> None:
    scores = ClassCounts(3, may_mix=True)
    label = torch.tensor([[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.5, 0.5, 0.0]])

    scores.update(one_hot(0, 0, 1), label)

    # The first is right; of equal shares the first class counts.
    values = scores.take(NAMES)
    assert values["accuracy"] == pytest.approx(1 / 3)
    assert values["soft_accuracy"] == pytest.approx((0.75 + 0.25 + 0.5) / 3)


def test_soft_accuracy_is_over_mixed_pictures_alone() -> None:
    scores = ClassCounts(3, may_mix=True)
    # Of a batch, only some may be mixed, or two pictures of one class.
    scores.update(one_hot(0, 1), torch.tensor([[0.75, 0.25, 0.0], [1.0, 0.0, 0.0]]))
    scores.update(one_hot(0, 0), torch.tensor([1, 1]))
    values = scores.take(NAMES)
    assert (values["accuracy"], values["soft_accuracy"]) == (0.25, 0.75)


def test_two_processes_count_as_one() -> None:
    """Counts are added up, whatever the sizes of the parts."""
    generator = torch.Generator().manual_seed(0)
    answers, label = torch.randn(10, 7, generator=generator), torch.rand(10, 7, generator=generator).softmax(dim=1)
    whole, parts = ClassCounts(7, may_mix=True), [ClassCounts(7, may_mix=True), ClassCounts(7, may_mix=True)]
    whole.update(answers, label)
    for part, rows in zip(parts, (slice(0, 3), slice(3, 10)), strict=True):
        part.update(answers[rows], label[rows])
    theirs = iter([parts[1].matrix, parts[1].in_top, parts[1].soft, parts[1].num_soft])
    parts[0].distributed_available_fn = lambda: True
    parts[0].dist_sync_fn = lambda mine, group: [mine, next(theirs)]

    assert parts[0].take("abcdefg") == pytest.approx(whole.take("abcdefg"))

    assert whole.pairs is not None
    assert parts[0].pairs is not None
    assert whole.pairs.sum() == 10
    assert parts[0].pairs.tolist() == whole.pairs.tolist()
