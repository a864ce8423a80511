"""What the page shows of a run beside its answers: its test pictures and its training, where the dataset is there."""

import json
import threading
from collections.abc import Sequence

from PIL import Image

from lightning_seg.app.look_tab import Shown
from lightning_seg.app.truths import Truths
from lightning_seg.arguments import grouped
from lightning_seg.commands.preview import draw_training
from lightning_seg.commands.run_data import data_of_run
from lightning_seg.plots.figures import figure_to_array
from lightning_seg.report.contents import read_content
from lightning_seg.runs import find_run

TRAINING_PICTURES = 16


def shown_of_run(run: str, flags: Sequence[str], class_names: tuple[str, ...]) -> Shown:
    """What Look is about.

    Args:
        run: as it is given.
        flags: about its data.
        class_names: those of its model.

    Raises:
        ConfigError: if the dataset cannot be built, or has other classes.
        DataError: if its files are not there.
    """
    data = data_of_run("app", ["--run", run, *flags])
    truths = Truths.of(data)
    truths.check_classes(class_names)
    lock = threading.Lock()

    def preview(epoch: int) -> Image.Image:
        # A loader is set to one epoch at a time.
        with lock:
            return Image.fromarray(figure_to_array(draw_training(data, TRAINING_PICTURES, epoch)))

    return Shown(read_content(find_run(run).folder), truths, preview)


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
