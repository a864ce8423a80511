"""What makes the pictures of the pages and the outputs of the notebooks."""
