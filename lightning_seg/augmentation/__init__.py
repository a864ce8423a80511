"""Everything random: pipelines, the seeding of their draws, the order of samples, and how samples become a batch."""

import os

# Albumentations asks the network for a newer version when it is imported, unless told otherwise.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
