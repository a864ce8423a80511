import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lightning_seg.errors import ConfigError
from lightning_seg.yaml_files import HarmfulError, check_yaml, load_yaml, quote_names, read_yaml


def bomb(levels: int) -> str:
    """Nine to the power of ``levels`` words."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


def test_aliases_are_counted_as_often_as_they_are_used() -> None:
    # 4 levels of 9, each word 2 with its place, each list 1: far below the limit.
    check_yaml(bomb(4))
    with pytest.raises(HarmfulError, match=r"its aliases \(\*name\) stand for more than 1048576 characters"):
        check_yaml(bomb(9))


def test_long_words_count_by_their_length() -> None:
    text = f"a: &a {'x' * 20_000}\nb: [{', '.join(['*a'] * 50)}]"
    check_yaml(text)
    with pytest.raises(HarmfulError, match="stand for more than"):
        check_yaml(text.replace("[", "[" + "*a, " * 10))


@pytest.mark.parametrize("number", [":".join(["59"] * 10_000), "1_" * 10_000 + "1", "9" * 5_000, "-" + "1" * 5_000])
def test_numbers_that_take_long_to_read_are_refused_at_once(number: str) -> None:
    with pytest.raises(HarmfulError, match=f"a number of {len(number)} characters"):
        check_yaml(f"a: {number}")
    check_yaml(f"a: [{number[:200]}, 0.{'1' * 40}, 1:20]")


@pytest.mark.parametrize("text", ["a: &a [*a]", "&a {b: {c: *a}}"])
def test_what_holds_itself_is_refused(text: str) -> None:
    with pytest.raises(HarmfulError, match=r"\*a holds itself"):
        check_yaml(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 5_000, "- " * 3_000, "? " * 3_000])
def test_depth_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        check_yaml(text)


def test_plain_aliases_and_merges_work() -> None:
    assert load_yaml("a: &a {b: 1}\nc: *a\nd: {<<: *a, e: 2}") == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}


@pytest.mark.parametrize("text", ["a: 2024-99-99", f"a: {'9' * 6000}", "a: !!int x", "a: !!timestamp x", "a: !!bool x"])
def test_values_that_cannot_be_are_errors_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1".encode("utf-16"), "not UTF-8; save it as UTF-8 text"),
        (b"a: caf\xe9", "not UTF-8; save it as UTF-8 text"),
        (b"a: " + b"x" * 5_000_000, "5 MiB are no config; give another file"),
        (bomb(9).encode(), "no valid YAML (its aliases"),
        (b"[" * 100_000, "no valid YAML (it is nested deeper than 50 levels)"),
        (b"a: \0", "no valid YAML (unacceptable character #x0000"),
    ],
)
def test_files_are_one_line(content: bytes, said: str, tmp_path: Path, mistake: Callable[[list[str]], str]) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    assert f"c.yaml: {said}" in mistake(["fit", "--config", str(tmp_path / "c.yaml")])


def test_a_byte_order_mark_is_no_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\n")
    assert read_yaml(tmp_path / "c.yaml") == {"a": "é"}


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="a folder, a pipe or a device, and no config"):
        read_yaml(tmp_path / "c.yaml")


def test_configs_that_other_configs_name_are_checked_too(tmp_path: Path, mistake: Callable[[list[str]], str]) -> None:
    (tmp_path / "inner.yaml").write_text("class_path: CNNClassifierTask\ninit_args:\n  lr: &a [*a]\n")
    (tmp_path / "c.yaml").write_text("model: inner.yaml\ndata:\n  class_path: FlowersDataModule\n")
    assert "inner.yaml" in mistake(["fit", "--config", str(tmp_path / "c.yaml")])


@pytest.mark.parametrize(
    "name", ["02146", "yes", "No", "on", "OFF", "0x1F", "0b11", "1_000", "12:30", "+5", "-07", "00", "007"]
)
@pytest.mark.parametrize(
    "text", ["[{}, a]", "[a,{}]", "- {}\n- a\n", "- &x {}\n", "a:\n- b: [[{}]]\n", "- # why\n  {}\n"]
)
def test_names_in_lists_keep_their_text(name: str, text: str) -> None:
    assert f"'{name}'" in str(load_yaml(text.format(name)))


@pytest.mark.parametrize(
    "text",
    [
        "a: yes\nb: 0x1F\nc: [1, -2, 0, 10, 1.50, true, null, y, 'on', \"off\", ! 12, !!int 0x10]\n",
        "[{a: yes}, {0x10: off}]",
        "- a: on\n  b: 12:30\n",
        "[yes no, on-off, 1_000 m]",
        "no: yes",
        "yes",
    ],
)
def test_everything_else_in_yaml_is_read_as_before(text: str) -> None:
    assert quote_names(text) == text


def test_quotes_go_around_the_names_alone() -> None:
    assert quote_names("é: [a, 02146]  # no\nb: no\nc:\n- on\n- 12:30 # on\n") == (
        "é: [a, '02146']  # no\nb: no\nc:\n- 'on'\n- '12:30' # on\n"
    )
