"""The Lightning command line: ``fit``, ``validate``, ``test`` and ``predict`` on run folders."""

from collections.abc import Sequence

import torch.distributed as dist

from lightning_seg.arguments import RunArguments, import_public_classes
from lightning_seg.cli.command_help import describe
from lightning_seg.cli.command_line import CommandLine
from lightning_seg.prediction_files import SOME_UNREADABLE
from lightning_seg.stopping import at_stake
from lightning_seg.trainer.processes import LostError, end
from lightning_seg.trainer.results import prediction_writers_of, written_to
from lightning_seg.trainer.silence import silence_libraries
from lightning_seg.trainer.stopped import nothing_kept


def run_lightning(argv: Sequence[str]) -> int:
    """Run one of Lightning's subcommands, print the folder of its results as the last line, return the exit code."""
    import_public_classes()
    silence_libraries()
    if {"-h", "--help"}.intersection(argv):
        print(describe(argv[0], argv[1:]))
        return 0
    at_stake(lambda: nothing_kept(argv[0]))
    try:
        trainer = CommandLine(RunArguments.parse(argv)).trainer
    except LostError as error:
        return end(error)
    folder = written_to(trainer)
    if trainer.is_global_zero and folder is not None:
        print(folder, flush=True)
    if dist.is_available() and dist.is_initialized():
        # Left to the interpreter's exit, a process that is late finds the other one's end of the line closed.
        dist.barrier()
        dist.destroy_process_group()
    # The first speaks for all: Lightning takes any other code of those that it has started for a crash.
    unreadable = any(writer.num_unreadable for writer in prediction_writers_of(trainer))
    return SOME_UNREADABLE if trainer.is_global_zero and unreadable else 0
