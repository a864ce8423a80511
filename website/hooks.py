"""What MkDocs calls while it builds the site: https://www.mkdocs.org/user-guide/configuration/#hooks."""

from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from website.links import PAGES, ROOT, linked, moved, page_of
from website.names import with_links
from website.navigation import expanded
from website.notebooks import list_of_notebooks, notebook_page
from website.public import public_classes
from website.reference import reference_pages

LANGUAGES = [
    {"name": "English", "link": "index.html", "lang": "en"},
    {"name": "한국어", "link": "ko/index.html", "lang": "ko"},
]
LEXERS = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is written for the site, and the menu that has it."""
    for page, text in (*_written(), *reference_pages()):
        files.append(File.generated(config, page, content=text))
    config.nav = expanded(config.nav, [file.src_uri for file in files.documentation_pages()])
    if files.get_file_from_path("ko/index.md"):
        config.extra["alternate"] = LANGUAGES
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of the pages of ``docs`` that leave it."""
    file = f"docs/{page.file.src_uri}"
    return moved(markdown, file, page.file.src_uri) if (ROOT / file).is_file() else markdown


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Names of classes lead to their place in the reference."""
    return with_links(html, {path.rpartition(".")[2]: path for path in public_classes()})


def _written() -> Iterator[tuple[str, str | bytes]]:
    """Pages that are made of files of the repository: some in any case, others since a page links to them."""
    results = sorted((ROOT / "benchmarks" / "results").glob("*.md"))
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    open_files = [*PAGES, *(path.relative_to(ROOT).as_posix() for path in (*results, *notebooks))]
    done = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*")}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        open_files += linked(page.read_text("utf-8"), page.relative_to(ROOT).as_posix())
    yield page_of("notebooks"), list_of_notebooks(notebooks)
    while open_files:
        file = open_files.pop()
        if file not in done:
            done.add(file)
            text = (ROOT / file).read_text("utf-8")
            open_files += linked(text, file) if file.endswith(".md") else []
            yield from _pages(file, text)


def _pages(file: str, text: str) -> Iterator[tuple[str, str | bytes]]:
    page = page_of(file)
    if file.endswith(".md"):
        yield page, moved(text, file, page)
    elif file.endswith(".ipynb"):
        markdown, pictures = notebook_page(text, Path(file).stem)
        yield page, moved(markdown, file, page)
        yield from ((f"notebooks/{name}", picture) for name, picture in pictures.items())
    else:
        yield page, f"# {file}\n\n```{LEXERS.get(Path(file).suffix, 'text')}\n{text.rstrip()}\n```\n"
