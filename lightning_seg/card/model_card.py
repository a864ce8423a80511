"""The card of a run, with the hub's metadata block."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from lightning_seg.card.compared import compared_lines
from lightning_seg.card.exported import remarks_of
from lightning_seg.card.facts import RunFacts, facts_of
from lightning_seg.card.kinds import kind_of
from lightning_seg.card.sections import text_of
from lightning_seg.files import digest_of
from lightning_seg.hub.address import Address
from lightning_seg.runs import Run

TAGS = ("pytorch", "pytorch-lightning", "lightning-seg")


def card_of(
    run: Run,
    license: str | None = None,  # noqa: A002
    address: Address | None = None,
    files: Sequence[Path] = (),
) -> ModelCard:
    """The card of a run.

    Args:
        run: with a checkpoint.
        license: the hub's short name of one, ``mit``; None says nothing about it.
        address: its place on the hub; None if it has none.
        files: exported files that lie beside the card, or will.

    Raises:
        ConfigError: if the run has no checkpoint, or a file of it cannot be read.
    """
    facts = facts_of(run)
    data = _metadata(facts, license)
    compared = compared_lines(run.folder) if run.is_best else []
    text = text_of(facts, compared, address, remarks_of(files, facts.checkpoint, digest_of(facts.checkpoint)))
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}")


def _metadata(facts: RunFacts, license: str | None) -> ModelCardData:  # noqa: A002
    kind = kind_of(facts.task.kind)
    results = _results(facts, "other" if kind is None else kind.pipeline)
    return ModelCardData(
        license=license,
        library_name="lightning-seg",
        pipeline_tag=None if kind is None else kind.pipeline,
        tags=[*TAGS, *(["synthetic"] if facts.is_synthetic else [])],
        # Of one's own pictures there is none by this name.
        datasets=[facts.data.slug] if facts.data.source is not None else None,
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=facts.title if results else None,
        eval_results=results or None,
    )


def _results(facts: RunFacts, task: str) -> list[EvalResult]:
    measured = facts.measured
    if measured is None:
        return []
    return [
        EvalResult(
            task_type=task,
            dataset_type=facts.data.slug,
            dataset_name=facts.data.name.removesuffix("DataModule"),
            dataset_split="test" if measured.is_test else "validation",
            metric_type=name,
            metric_name=f"{measured.split}/{name}",
            metric_value=round(value, 6),
        )
        for name, value in measured.of(per_class=False).items()
    ]
