"""What is in a dataset, what is wrong with it, and what follows; with the findings' texts, of which a page is made."""
