"""``lightning-seg app``: a page to try a model, to look at its test pictures, and to compare it with another."""

import json
import socket
import threading
import webbrowser
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from lightning_seg.app.compare_tab import check_comparable
from lightning_seg.app.look_tab import Shown
from lightning_seg.app.page import Contents, build_page
from lightning_seg.app.server import address_of, is_local, listen, own_folder, serving
from lightning_seg.app.sources import Source, source_of
from lightning_seg.app.truths import Truths
from lightning_seg.arguments import grouped
from lightning_seg.commands.preview import draw_training
from lightning_seg.commands.run_data import data_of_run
from lightning_seg.errors import ConfigError, RefusedError
from lightning_seg.explaining import explain
from lightning_seg.plots.figures import figure_to_array
from lightning_seg.report.contents import read_content
from lightning_seg.runs import find_run
from lightning_seg.stopping import at_stake

PORT = 7860
CLOSED = "the page is closed, and what was uploaded is removed; the same command opens it again"
TRAINING_PICTURES = 16


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
    contents = _contents(source_of(given[0], device), run, data)
    if compare_with is not None:
        contents = contents._replace(other=source_of(compare_with, device))
        check_comparable(contents.source, contents.other or contents.source)
    for note in contents.notes:
        print(note)
    with own_folder() as folder:
        _serve(contents, folder, host, taken, open_browser)


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """The flags of the data as a list; ``--open_browser`` needs no value."""
    kept, of_data = list[str](), list[str]()
    for flag, values in grouped(flags):
        name = flag.lstrip("-").partition("=")[0]
        if name.partition(".")[0] == "data":
            of_data += [flag, *values]
        else:
            kept += [f"{flag}=true"] if flag == "--open_browser" and not values else [*filter(None, [flag]), *values]
    return [*kept, f"--data={json.dumps(of_data)}"] if of_data else kept


def _contents(source: Source, run: str | None, flags: Sequence[str]) -> Contents:
    """What the page shows; what it cannot show is a note."""
    if run is None:
        return Contents(
            source, notes=["An exported model has no test pictures with it; --run RUN shows those of a run."]
        )
    try:
        return Contents(source, _look(run, flags, source))
    # The parser wraps what a datamodule says when it is built, or refuses a flag.
    except (Exception, RefusedError) as error:
        reason = error.line if isinstance(error, RefusedError) else explain(error)
        if reason is None:
            raise
        why = f"The dataset of the run cannot be used, so there is nothing to look at: {reason}"
        return Contents(source, notes=[f"{why} (--data.root DIR says where it is now)"])


def _look(run: str, flags: Sequence[str], source: Source) -> Shown:
    data = data_of_run("app", ["--run", run, *flags])
    truths = Truths.of(data)
    truths.check_classes(source.class_names)
    lock = threading.Lock()

    def preview(epoch: int) -> Image.Image:
        # A loader is set to one epoch at a time.
        with lock:
            return Image.fromarray(figure_to_array(draw_training(data, TRAINING_PICTURES, epoch)))

    return Shown(read_content(find_run(run).folder), truths, preview)


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
