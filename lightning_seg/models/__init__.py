"""Networks: plain modules that know neither a trainer nor a dataset."""
