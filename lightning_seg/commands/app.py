"""``lightning-seg app``: a page to try a model, to look at its test pictures, and to compare it with another."""

import socket
import webbrowser
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from lightning_seg.app.compare_tab import check_comparable
from lightning_seg.app.page import Contents, build_page
from lightning_seg.app.server import address_of, is_local, listen, own_folder, serving
from lightning_seg.app.sources import Source, source_of
from lightning_seg.commands import names_file
from lightning_seg.commands.light_parsing import LightParser, Once
from lightning_seg.errors import ConfigError, RefusedError
from lightning_seg.explaining import explain
from lightning_seg.inference.knobs import texts_of
from lightning_seg.stopping import at_stake

PORT = 7860
CLOSED = "the page is closed, and what was uploaded is removed; the same command opens it again"
ABOUT_FILES = """Open a page in the browser: try an exported model on photos, compare it with another. It needs Gradio
and onnxruntime, and neither torch nor a run."""
OF_MODELS = ("model", "compare_with")
"""Flags that are given once."""
OF_DATA = ("data",)
"""Arguments that mean nothing to an exported file."""


def app(
    run: str | None = None,
    model: str | None = None,
    compare_with: str | None = None,
    host: str = "127.0.0.1",
    port: int = PORT,
    open_browser: bool = False,
    device: str | None = None,
    data: Sequence[str] = (),
) -> None:
    """Open a page in the browser: try the model on photos, look at its test pictures, compare it with another run.

    The page is for this machine alone, and loads nothing from elsewhere. Ctrl-C ends it. Where the dataset of the run
    lies elsewhere now, --data.root says where; other flags --data.x VALUE are taken, too.

    Args:
        run: Run to show, or a checkpoint.
        model: Exported model to show in place of a run: model.onnx.
        compare_with: Another run or exported model, on the same pictures.
        host: Address of this machine to listen at; 0.0.0.0 lets everybody in the network in.
        port: Port to listen at; 0 takes a free one.
        open_browser: Open the page in this machine's browser, too.
        device: cpu or cuda; without it cuda where there is one.
        data: Flags of the data; the command takes its own.
    """
    if find_spec("gradio") is None:
        raise ConfigError("app needs the package gradio; install it with pip install 'lightning_seg[app]'")
    given = [one for one in (run, model) if one is not None]
    if len(given) != 1:
        raise ConfigError("app shows one model; give --run RUN or --model model.onnx")
    taken = listen(host, port)
    contents = contents_of(source_of(given[0], device), run, data)
    if compare_with is not None:
        contents = contents._replace(other=source_of(compare_with, device))
        check_comparable(contents.source, contents.other or contents.source)
    for note in contents.notes:
        print(note)
    with own_folder() as folder:
        _serve(contents, folder, host, taken, open_browser)


def run_flags(flags: Sequence[str]) -> None:
    """Open a page with the flags of ``app``; those of an exported file are read without torch."""
    if names_file(["app", *flags], "app"):
        parser = file_parser()
        typed, rest = parser.parse_known_args(list(flags))
        if rest:
            parser.refuse(rest[0])
        app(**vars(typed))
        return
    from lightning_seg.commands.parsing import run_function
    from lightning_seg.commands.shown_run import prepare_flags

    run_function("app", app, prepare_flags(flags), flags)


def file_parser() -> LightParser:
    """The flags of ``app`` that mean something to an exported file."""
    parser = LightParser("app", "[options]", ABOUT_FILES)
    texts = texts_of(app)
    for name, hint in get_type_hints(app).items():
        if name in texts and name not in OF_DATA:
            more: dict[str, Any] = {"nargs": "?", "const": True} if hint is bool else {}
            parser.add_flag(name, hint, texts[name], **more, **({"action": Once} if name in OF_MODELS else {}))
    return parser


def contents_of(source: Source, run: str | None, flags: Sequence[str]) -> Contents:
    """What the page shows; what it cannot show is a note."""
    if run is None:
        return Contents(
            source, notes=["An exported model has no test pictures with it; --run RUN shows those of a run."]
        )
    from lightning_seg.commands.shown_run import shown_of_run

    try:
        return Contents(source, shown_of_run(run, flags, source.class_names))
    # The parser wraps what a datamodule says when it is built, or refuses a flag.
    except (Exception, RefusedError) as error:
        reason = error.line if isinstance(error, RefusedError) else explain(error)
        if reason is None:
            raise
        why = f"The dataset of the run cannot be used, so there is nothing to look at: {reason}"
        return Contents(source, notes=[f"{why} (--data.root DIR says where it is now)"])


def _serve(contents: Contents, folder: Path, host: str, taken: socket.socket, open_browser: bool) -> None:
    address = address_of(taken, host)
    with serving(build_page(contents, folder), taken, host) as thread:
        at_stake(lambda: CLOSED)
        warning = "" if is_local(host) else "; everybody who reaches this machine can use it"
        print(f"the page is at {address} (Ctrl-C ends it{warning})", flush=True)
        if open_browser:
            webbrowser.open(address)
        while thread.is_alive():
            thread.join(0.2)
