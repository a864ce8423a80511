"""What ``--help`` says of commands whose flags are the arguments of a function."""

import pytest

from lightning_seg.__main__ import main


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """In one line."""
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_the_help_of_doctor_tells_what_a_user_types_and_nothing_internal(capsys: pytest.CaptureFixture[str]) -> None:
    said = help_of("doctor", capsys)
    for flag in ("--config", "--run", "--data", "--output", "--speed", "--pictures"):
        assert f"{flag} " in said
    for sentence in ("--data.x VALUE, --model.x VALUE", "The exit code is 1 where", "how that training went"):
        assert sentence in said
    assert "--fit" not in said
    for name in ("CarvanaDataModule", "ImageFolderDataModule", "PicturesDataModule"):
        assert f"lightning_seg.{name}" in said
    for name in ("OwnData", "StoredDataModule", "PictureSource"):
        assert name not in said


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("preview", "Those that are not about data are left aside."),
        ("cache", "It also takes the flags of fit"),
        ("benchmark", "Both take turns, over all windows."),
    ],
)
def test_the_help_of_a_command_is_its_whole_description(
    command: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = help_of(command, capsys)
    assert sentence in said
    assert "Args:" not in said


def test_what_the_command_gives_itself_is_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "--data", "OxfordPetsDataModule", "--fit", "[--config,pets]"])
    assert stop.value.code == 2
    assert "unrecognized arguments: --fit" in capsys.readouterr().err
