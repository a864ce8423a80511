"""Looking at a dataset or a run: its content, its faults and what follows; with the texts of all findings."""
