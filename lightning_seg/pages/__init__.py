"""Pages that travel: one HTML file with its style, its figures and its pictures, without scripts or a network."""
