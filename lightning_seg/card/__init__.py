"""The model card of a run, in the form of the Hugging Face hub."""

from lightning_seg.card.model_card import card_of

__all__ = ["card_of"]
