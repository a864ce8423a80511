"""What can be asked of a model's answers, as controls of a page: read from the settings of its kind."""

import re
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import Field, fields
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from lightning_seg.inference.knobs import texts_of
from lightning_seg.inference.spans import Span, is_of_files, span_of

NONE = "none"
"""A choice that leaves a setting out."""
FINEST = 1e-4
"""Smallest step of a slider."""


class Control(NamedTuple):
    """One setting with all that a control needs to know."""

    name: str
    help: str
    default: Any  # the model's own value; None if it can be left out
    choices: tuple[str, ...] = ()  # of a setting that takes one of several names
    span: Span | None = None  # of a number
    is_many: bool = False  # several numbers of the span
    start: float = 0  # what a slider shows for None

    @property
    def title(self) -> str:
        """Its name as people write it."""
        words = self.name.replace("_", " ")
        return "Test-time augmentation" if words == "tta" else words.capitalize()

    @property
    def shown(self) -> Any:
        """The model's own value as its control shows it."""
        if self.is_many:
            return list(self.default)
        if self.choices:
            return NONE if self.default is None else self.default
        return self.start if self.default is None else self.default

    @property
    def options(self) -> list[float]:
        """The numbers that ``is_many`` chooses from."""
        assert self.span is not None
        steps = round((self.span.most - self.span.least) / self.span.step)
        return sorted({*self.default, *(self.span.least + self.span.step * one for one in range(steps + 1))})

    def value_of(self, shown: Any) -> Any:
        """The setting, from what the control shows."""
        if self.is_many:
            return tuple(sorted(float(one) for one in shown))
        if self.choices:
            # A setting may have a value of that name, too.
            return None if shown == NONE and self.default is None else shown
        if shown is None or (self.default is None and not self.start and shown == 0):
            return self.default
        assert self.span is not None
        # What is typed beside a slider may lie beyond its ends.
        return min(max(shown, self.span.least), self.span.most)


def controls_of(inference: Any, names: Collection[str]) -> list[Control]:
    """The settings of an inference that people choose by hand: those of a few names, and of a span.

    Args:
        inference: the model's own settings, a dataclass: what it answers with where nothing is asked.
        names: those that mean something to the model.
    """
    kind = type(inference)
    hints, texts = get_type_hints(kind), dict[str, str]()
    for one in reversed(kind.__mro__):
        texts |= texts_of(one)
    found = [_control(one, hints[one.name], texts.get(one.name, ""), inference) for one in fields(kind)]
    return [control for control in found if control is not None and control.name in names]


def chosen(controls: Sequence[Control], shown: Sequence[Any]) -> dict[str, Any]:
    """The settings that differ from the model's own, from what the controls show, in the order of ``controls``."""
    values = {control.name: control.value_of(value) for control, value in zip(controls, shown, strict=True)}
    return {control.name: values[control.name] for control in controls if _differs(values[control.name], control)}


def described(options: Mapping[str, Any]) -> str:
    """``tta d4, threshold 0.4``."""
    return ", ".join(f"{name} {_text(value)}" for name, value in options.items())


def _text(value: Any) -> str:
    return " ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else str(value)


def _differs(value: Any, control: Control) -> bool:
    if control.is_many:
        return bool(value != tuple(float(one) for one in control.default))
    # A slider that stands where None would be.
    return bool(value != control.default and not (control.default is None and value == control.start))


def _control(field: "Field[Any]", hint: Any, text: str, inference: Any) -> Control | None:
    if is_of_files(field):
        return None
    plain, span, own = _without_none(hint), span_of(field), getattr(inference, field.name)
    # A slider stands at 0 for None.
    nothing = "0" if span is not None else NONE
    # A model with a value of its own takes that where None is asked.
    told = text if own is None else re.sub(r"; None .*?(\.?)$", r"\1", text)
    help_ = " ".join(told.replace("`", "").replace("None", nothing).split())
    if get_origin(plain) is Literal:
        choices = get_args(plain)
        return Control(field.name, help_, own, (NONE, *choices) if own is None else choices)
    if span is None:
        return None
    start = getattr(inference, f"default_{field.name}", 0)
    if isinstance(own, Sequence):
        return Control(field.name, help_, tuple(own), (), span, True, start)
    return Control(field.name, help_, own, (), span if own is None else _holding(span, own), False, start)


def _holding(span: Span, own: float) -> Span:
    """The span with a value on one of its steps, and without the 0 that stands for None."""
    step = span.step
    while abs(own / step - round(own / step)) > FINEST and step / 10 >= FINEST:
        step /= 10
    return Span(min(span.least or span.step, own), max(span.most, own), step)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    (plain, *_) = [one for one in get_args(hint) if one is not types.NoneType]
    return plain
