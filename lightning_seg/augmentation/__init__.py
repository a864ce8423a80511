"""Random parts of the data side: pipelines, seeded draws, the order of samples, and stacking samples to a batch."""

import os

# Albumentations asks the network for a newer version when it is imported, unless told otherwise.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
