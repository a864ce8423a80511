"""What to type for what comes next, ready to be pasted into a shell."""

from shlex import join
from typing import NamedTuple

from lightning_seg.report.contents import Content
from lightning_seg.run_files import epochs_of


class CommandLine(NamedTuple):
    """A line for a shell."""

    purpose: str
    line: str


def command_lines(content: Content) -> list[CommandLine]:
    """For this run."""
    epochs = str(2 * max(1, epochs_of(content.numbers, content.curves)))
    return [
        _line(content, "go on with the training", "fit", "--trainer.max_epochs", epochs),
        test_line(content),
        _line(content, "apply it to pictures", "predict", "--images", "photo.jpg", "--output", "predictions"),
        _line(content, "take it elsewhere", "export", "--format", "onnx", "--output", "model.onnx"),
        _line(content, "look at its training and its data", "doctor", "--output", "findings"),
        _line(content, "make this page again", "report", "--output", "report.html"),
    ]


def test_line(content: Content) -> CommandLine:
    """What writes the table of test pictures."""
    return _line(content, "measure it on the test pictures", "test")


def _line(content: Content, purpose: str, command: str, *words: str) -> CommandLine:
    return CommandLine(purpose, join(["lightning-seg", command, "--run", str(content.folder), *words]))
