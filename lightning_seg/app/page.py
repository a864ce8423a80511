"""The whole page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lightning_seg.app import markup
from lightning_seg.app.answers import legend_of
from lightning_seg.app.compare_tab import add_compare
from lightning_seg.app.server import LARGEST_UPLOAD
from lightning_seg.app.sources import Source
from lightning_seg.app.theme import make_theme, style_of
from lightning_seg.app.try_tab import add_try

if TYPE_CHECKING:
    # Exported models are shown where torch is not installed.
    from lightning_seg.app.look_tab import Shown

OLDEST = 1800
"""Seconds after which files that nobody has looked at any more are removed."""


class Contents(NamedTuple):
    """What is on the page."""

    source: Source
    look: "Shown | None" = None
    other: Source | None = None  # to compare with
    notes: Sequence[str] = ()  # what is missing, and why

    @property
    def paths(self) -> list[str]:
        """Test pictures on which two models can be compared."""
        return [] if self.look is None else self.look.truths.paths


def build_page(contents: Contents, folder: Path) -> Any:
    """The page as an application for a server.

    Args:
        contents: what is on it.
        folder: where uploads are, see ``own_folder``.
    """
    import gradio as gr
    from fastapi import FastAPI

    source, title = contents.source, f"{contents.source.name} - lightning_seg"
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(300, OLDEST)) as page:
        gr.HTML(markup.heading(source.name, source.about, contents.notes), elem_id="head")
        with gr.Tabs():
            with gr.Tab("Try", id="try"):
                add_try(source, folder)
            if contents.look is not None:
                from lightning_seg.app.look_tab import add_look

                with gr.Tab("Look", id="look"):
                    add_look(source, contents.look)
            if contents.other is not None:
                with gr.Tab("Compare", id="compare"):
                    add_compare(source, contents.other, contents.paths, folder)
    plain: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    return gr.mount_gradio_app(
        FastAPI(**plain),
        page,
        path="/",
        app_kwargs=plain,
        footer_links=[],
        run_history=False,
        max_file_size=LARGEST_UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=make_theme(),
        css=style_of(legend_of(source.found_names, source.kind == "boxes")),
    )
