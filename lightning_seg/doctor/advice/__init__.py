"""Numbers and times that follow from a dataset and the network for it, with what they suggest."""
