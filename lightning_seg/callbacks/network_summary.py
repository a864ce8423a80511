"""The table of a network's layers at the start of a fit."""

from typing import Any

from pytorch_lightning.callbacks import ModelSummary


class NetworkSummary(ModelSummary):
    """Lightning's summary without the rows of losses and metrics, which have no layers."""

    @staticmethod
    def summarize(summary_data: list[tuple[str, list[str]]], *args: Any, **kwargs: Any) -> None:
        """The columns of the table with their titles, and the totals below."""
        names = next(column for title, column in summary_data if title == "Name")
        kept = [row for row, name in enumerate(names) if name.partition(".")[0] in ("normalize", "model")]
        network = [(title, [column[row] for row in kept]) for title, column in summary_data]
        ModelSummary.summarize(network, *args, **kwargs)
