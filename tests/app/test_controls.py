"""Controls of the page, from the settings of each kind of model."""

from typing import Any

import pytest

from lightning_seg.app.controls import NONE, Control, chosen, controls_of, described
from lightning_seg.inference.knobs import BoxKnobs, LabelKnobs, MaskKnobs, names_of
from lightning_seg.inference.masks import MaskInference
from lightning_seg.inference.spans import Span
from lightning_seg.tasks import MobileNetV2UNetTask, UNetTask


def by_name(knobs: Any) -> dict[str, Control]:
    return {one.name: one for one in controls_of(knobs, names_of(type(knobs)))}


def test_masks_have_tiles_views_and_a_threshold() -> None:
    controls = by_name(MaskInference())
    assert set(controls) == {"tile", "tta", "threshold"}
    assert controls["tta"].choices == (NONE, "hflip", "flips", "d4")
    assert controls["tile"].span == Span(0, 1024, 128)
    assert controls["tta"].title == "Test-time augmentation"
    # Of a base class, with what a slider shows for None.
    assert controls["threshold"].help.endswith("0 takes the likelier class.")


def test_labels_have_views_alone() -> None:
    assert set(by_name(LabelKnobs())) == {"tta"}


def test_boxes_have_what_finds_them() -> None:
    controls = by_name(BoxKnobs())
    assert set(controls) == {"detector", "scales", "windows", "threshold", "merge", "merge_overlap", "tta"}
    assert controls["scales"].options[:3] == [1, 1.5, 2]
    assert controls["scales"].shown == [2, 3]
    assert controls["threshold"].shown == 0.55
    assert controls["merge"].choices == ("fusion", "nms", "none")


def test_a_threshold_is_asked_of_two_classes_alone() -> None:
    assert "threshold" in UNetTask(num_classes=1, width=2).knobs()
    assert "threshold" not in MobileNetV2UNetTask(num_classes=3, encoder_weights=None).knobs()


def test_what_stands_as_it_was_is_no_setting() -> None:
    for knobs in (MaskKnobs(), LabelKnobs(), BoxKnobs()):
        controls = list(by_name(knobs).values())
        assert chosen(controls, [control.shown for control in controls]) == {}


@pytest.mark.parametrize(
    ("name", "shown", "expected"),
    [("tile", 256, 256), ("tta", "d4", "d4"), ("threshold", 0.3, 0.3), ("tile", 0, None), ("tta", NONE, None)],
)
def test_a_control_that_was_moved_is_a_setting(name: str, shown: Any, expected: Any) -> None:
    controls = list(by_name(MaskKnobs()).values())
    values = [shown if control.name == name else control.shown for control in controls]
    assert chosen(controls, values) == ({} if expected is None else {name: expected})


def test_a_value_that_is_called_none_is_one() -> None:
    controls = list(by_name(BoxKnobs()).values())
    values = ["none" if control.name == "merge" else control.shown for control in controls]
    assert chosen(controls, values) == {"merge": "none"}


def test_what_is_typed_beyond_the_ends_of_a_slider_is_its_end() -> None:
    controls = list(by_name(BoxKnobs()).values())

    def said(typed: float | None) -> dict[str, Any]:
        return chosen(controls, [typed if control.name == "threshold" else control.shown for control in controls])

    assert said(0) == {"threshold": 0.01}
    assert said(7) == {"threshold": 0.99}
    assert said(None) == {}


def test_ticked_numbers_are_sorted() -> None:
    controls = list(by_name(BoxKnobs()).values())
    values = [[4, 1] if control.name == "scales" else control.shown for control in controls]
    assert chosen(controls, values) == {"scales": (1.0, 4.0)}
    assert described({"scales": (1.0, 4.0), "tta": "d4"}) == "scales 1 4, tta d4"


def test_a_slider_starts_where_the_model_stands() -> None:
    control = by_name(BoxKnobs(threshold=0.25))["threshold"]
    assert (control.shown, control.span) == (0.25, Span(0.01, 0.99, 0.01))
    # None would be 0.25 as well.
    assert control.help == "lowest probability of an object."
    assert chosen([control], [0.25]) == {}
    assert chosen([control], [0.55]) == {"threshold": 0.55}


def test_a_setting_of_the_models_own_cannot_be_left_out() -> None:
    control = by_name(MaskKnobs(threshold=0.02, tile=256))["threshold"]
    assert (control.shown, control.span) == (0.02, Span(0.01, 0.99, 0.01))
    assert control.help == "of two classes, the probability from which a pixel is the second one."
    assert chosen([control], [0]) == {"threshold": 0.01}
    tile = by_name(MaskKnobs(tile=256))["tile"]
    assert (tile.shown, tile.span) == (256, Span(128, 1024, 128))


@pytest.mark.parametrize(
    ("threshold", "span"),
    [(0.255, Span(0.01, 0.99, 0.001)), (0.005, Span(0.005, 0.99, 0.001)), (0.995, Span(0.01, 0.995, 0.001))],
)
def test_a_slider_can_stand_at_any_threshold(threshold: float, span: Span) -> None:
    control = by_name(BoxKnobs(threshold=threshold))["threshold"]
    assert control.span is not None
    assert control.span == pytest.approx(span)
    assert chosen([control], [control.shown]) == {}


def test_names_and_numbers_start_as_the_models_do() -> None:
    controls = by_name(BoxKnobs(scales=(2.2, 3.0), merge="nms", tta="hflip"))
    assert controls["scales"].options[:4] == [1, 1.5, 2, 2.2]
    assert [controls[name].shown for name in ("scales", "merge", "tta")] == [[2.2, 3.0], "nms", "hflip"]
    assert controls["tta"].choices == ("hflip", "flips", "d4")
    assert chosen(list(controls.values()), [control.shown for control in controls.values()]) == {}
