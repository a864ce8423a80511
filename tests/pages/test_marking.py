"""Commands are found within sentences."""

import pytest

from lightning_seg.pages.marking import pieces


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("train without them: --data.unreadable skip", ["--data.unreadable skip"]),
        ("give another --data.seed or a larger fraction", ["--data.seed"]),
        ("a lower --model.lr, or --trainer.gradient_clip_val 1; look", ["--model.lr", "--trainer.gradient_clip_val 1"]),
        ("a tenth of the rate, --model.lr 1e-4, is", ["--model.lr 1e-4"]),
        ("end with --model.lr 0.0003.", ["--model.lr 0.0003"]),
        ("give --data.image_size '[192, 256]'.", ["--data.image_size '[192, 256]'"]),
        ("fit --run RUN with more --trainer.max_epochs", ["fit --run RUN", "--trainer.max_epochs"]),
        (
            "fit --run runs/x/version_0 --trainer.max_epochs 40",
            ["fit --run runs/x/version_0 --trainer.max_epochs 40"],
        ),
        (
            "lightning-seg fit --config pets --data.root DIR, then look",
            ["lightning-seg fit --config pets --data.root DIR"],
        ),
        ("no command - or -- dashes -- at all", []),
        ("", []),
    ],
)
def test_commands_are_found_with_their_values(text: str, commands: list[str]) -> None:
    found = list(pieces(text))
    assert [part for is_command, part in found if is_command] == commands
    assert "".join(part for _, part in found) == text
