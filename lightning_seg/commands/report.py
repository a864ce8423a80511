"""``lightning-seg report``: all that a run has to show, in one file."""

import json
from collections.abc import Sequence
from pathlib import Path

from lightning_seg.arguments import TRUST, Asked, Typed, grouped
from lightning_seg.arguments.own_modules import make_importable
from lightning_seg.commands.run_data import data_of_run
from lightning_seg.errors import ConfigError, UserError
from lightning_seg.explaining import explain
from lightning_seg.files import printable
from lightning_seg.numbers import at_least
from lightning_seg.predictor import Predictor
from lightning_seg.report.command_lines import test_line
from lightning_seg.report.contents import Content, read_content
from lightning_seg.report.galleries import Wanted, chosen, galleries
from lightning_seg.report.page import Seen, write_report
from lightning_seg.report.test_split import TestSplit
from lightning_seg.report.tested import Order
from lightning_seg.runs import Run, find_run

LEFT_OUT = "Worst and best pictures are left out"


def report(
    run: str | None = None,
    output: str = "report.html",
    pictures: int = 12,
    order: Order | None = None,
    class_name: str | None = None,
    data: Sequence[str] = (),
) -> None:
    """Write what a run has to show into one HTML file: numbers, curves, classes, worst and best pictures, commands.

    The file needs no server, no network and no scripts. Where the dataset of the run lies elsewhere now, --data.root
    says where; without it everything else is shown. Other flags --data.x VALUE and --trust_config are taken, too.

    Args:
        run: Run to show.
        output: File to write.
        pictures: How many of the worst and of the best test pictures to show; 0 shows none.
        order: What makes a picture bad: a low score, a high loss, or the probability of a wrong class (mistake); by
            default mistake for classes, score for masks.
        class_name: Show only pictures in which this class is true or predicted.
        data: Flags of the data; the command takes its own.
    """
    if run is None:
        raise ConfigError("there is no run; give --run RUN, for instance --run runs/pets")
    at_least(0, "pictures", pictures)
    path, found = _checked(output), find_run(run)
    content = read_content(found.folder)
    wanted = Wanted(pictures, order, class_name)
    chosen(content, wanted)
    seen = _look(found, content, wanted, ["--run", run, *data])
    for line in (*content.problems, *seen.notes):
        print(printable(line))
    try:
        size = write_report(path, content, seen)
    except OSError as error:
        raise ConfigError(f"output {path}: cannot be written ({error.strerror or error}); give another") from error
    if not content.tested:
        print(printable(f"there are no test pictures to show; {test_line(content).line} measures the run"))
    print(printable(f"{path} ({size / 1e6:.1f} MB)"))


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """The flags of the data as a list."""
    kept, of_data = list[str](), list[str]()
    for flag, values in grouped(flags):
        name = flag.partition("=")[0]
        words = [*filter(None, [flag]), *values]
        if name.partition(".")[0] == "--data" or name == TRUST:
            of_data += words
        else:
            kept += words
    return [*kept, f"--data={json.dumps(of_data)}"] if of_data else kept


def _checked(output: str) -> Path:
    path = Path(output).expanduser()
    if path.is_dir():
        raise ConfigError(f"output {output}: a folder is there; give a file, for instance {path / 'report.html'}")
    return path


def _look(run: Run, content: Content, wanted: Wanted, flags: Sequence[str]) -> Seen:
    """What the dataset and the network say; where one of them cannot be used, a note says why."""
    if wanted.number == 0:
        return Seen()
    try:
        split = TestSplit.of(data_of_run("report", flags))
    # A datamodule of the user's own may say anything.
    except Exception as error:
        if (line := explain(error)) is None:
            raise
        return Seen(notes=(f"{LEFT_OUT}, since the dataset cannot be used: {line}",))
    try:
        predictor = _predictor(run, content, Typed.of(Asked.of(flags)).trusts_config) if content.tested else None
        shown = () if predictor is None else tuple(galleries(content, wanted, split, predictor))
    except UserError as error:
        return Seen(sizes=split.sizes, notes=(f"{LEFT_OUT}, since the network cannot be used: {error}",))
    return Seen(shown, split.sizes)


def _predictor(run: Run, content: Content, trusts: bool) -> Predictor:
    """A task of the user's own is imported where its config is trusted."""
    path = str(content.arguments.get("model.class_path") or "")
    own = [path] if trusts and "." in path else []
    make_importable(own)
    return Predictor.from_run(run.chosen or run.folder, trust=[name.rpartition(".")[0] for name in own])
