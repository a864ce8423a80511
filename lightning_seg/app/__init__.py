"""A page in the browser to try a trained model, to look at what it does on its test pictures, and to compare two."""
