"""Small seeded datasets in the on-disk layouts of the real ones, so that nothing must be downloaded."""
