"""How pages are made of what is not written for the site."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from website.keys import plain
from website.links import moved, page_of
from website.names import with_links
from website.navigation import expanded
from website.notebooks import notebook_page
from website.type_words import type_words, value_words


@pytest.mark.parametrize(
    ("file", "page"),
    [
        ("docs/runs.md", "runs.md"),
        ("docs/images/pets.png", "images/pets.png"),
        ("README.md", "readme.md"),
        ("benchmarks/results/loading_cpu.md", "results/loading_cpu.md"),
        ("notebooks/01_pets.ipynb", "notebooks/01_pets.md"),
        ("configs/pets.yaml", "files/configs/pets.yaml.md"),
    ],
)
def test_a_file_has_its_place_on_the_site(file: str, page: str) -> None:
    assert page_of(file) == page


def test_links_of_a_moved_page_lead_where_they_led() -> None:
    text = "[a](docs/runs.md#loggers) ![b](docs/images/pets.png) [c](https://c.org) [d](#d) [e](nothing.md)"
    moved_text = "[a](../runs.md#loggers) ![b](../images/pets.png) [c](https://c.org) [d](#d) [e](nothing.md)"
    assert moved(text, "README.md", "below/readme.md") == moved_text
    assert moved("[a](../configs/pets.yaml)", "docs/runs.md", "runs.md") == "[a](files/configs/pets.yaml.md)"


def test_what_is_no_link_stays() -> None:
    code = "```python\nrows[0](docs/runs.md)\n```\n"
    assert moved(f"{code}[a](docs/runs.md)\n{code}", "README.md", "readme.md") == f"{code}[a](runs.md)\n{code}"


def test_a_folder_in_the_menu_is_its_pages() -> None:
    pages = ["index.md", "t/dogs.md", "t/pets.md", "t/more/a.md", "u/b.md"]
    menu = [{"Start": "index.md"}, {"T": ["t/", {"U": "u/"}]}, {"None": "v/"}, {"None": ["v/**"]}]
    assert expanded(menu, pages) == [{"Start": "index.md"}, {"T": ["t/pets.md", "t/dogs.md", {"U": ["u/b.md"]}]}]
    assert expanded([{"T": "t/**"}], pages) == [{"T": ["t/pets.md", "t/dogs.md", {"more": ["t/more/a.md"]}]}]


def test_a_notebook_becomes_text_code_answers_and_pictures() -> None:
    picture = base64.b64encode(b"PNG").decode()
    printed = {"output_type": "stream", "text": ["\x1b[31m3\x1b[0m\n"]}
    drawn = {"output_type": "display_data", "data": {"image/png": picture, "text/plain": ["<Figure>"]}}
    cells = [
        {"cell_type": "markdown", "source": ["# Question\n", "Why?"]},
        {"cell_type": "code", "source": ["print(3)"], "outputs": [printed, drawn]},
        {"cell_type": "code", "source": [], "outputs": []},
    ]
    text, pictures = notebook_page(json.dumps({"cells": cells}), "a")
    assert text == (
        "# Question\nWhy?\n\n```python\nprint(3)\n```\n\n```text\n3\n```\n\n![What the cell draws](a_1.png)\n"
    )
    assert pictures == {"a_1.png": b"PNG"}


def test_names_in_the_text_lead_to_the_reference() -> None:
    paths = {"UNetTask": "lightning_seg.UNetTask"}
    code = "<code>UNetTask</code>"
    linked = f'<autoref identifier="lightning_seg.UNetTask">{code}</autoref>'
    assert with_links(f"<p>a {code} b <code>width</code></p>", paths) == f"<p>a {linked} b <code>width</code></p>"
    for kept in (f"<h2>{code}</h2>", f'<a href="b.html">{code}</a>', f"<pre>{code}</pre>", "UNetTask"):
        assert with_links(kept, paths) == kept


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "int"),
        (int | None, "int or null"),
        (Literal["a", "b"], "'a' or 'b'"),
        (list[float] | Literal["auto"] | None, "list of float or 'auto' or null"),
        (dict[str, list[str | int]], "mapping of list of (str or int)"),
        (tuple[int, int], "[int, int]"),
        (tuple[str, ...], "list of str"),
        (Sequence[str], "list of str"),
        (str | Path | None, "str or Path or null"),
        (Any, "anything"),
        (list, "list"),
    ],
)
def test_types_are_words(hint: Any, words: str) -> None:
    assert type_words(hint) == words


def test_values_are_those_of_a_config() -> None:
    values = [None, True, 0.1, "cosine", [2.0, 3.0], {"a": 1}, (1, 2)]
    assert [value_words(one) for one in values] == ["null", "true", "0.1", "cosine", "[2.0, 3.0]", '{"a": 1}', "[1, 2]"]


def test_descriptions_are_markdown_of_one_line() -> None:
    assert plain("a ``b`` or\n    :class:`~torch.nn.Module` c | d") == "a `b` or `Module` c &#124; d"
    mixing = "see [`Mixing`][lightning_seg.augmentation.mixing.Mixing]: `{kind: cutmix}`"
    assert plain("see ``Mixing``: ``{kind: cutmix}``") == mixing
