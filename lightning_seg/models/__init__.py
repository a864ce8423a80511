"""Networks: plain modules without trainer or dataset."""
