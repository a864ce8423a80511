"""What pyproject.toml cannot say: where the configs lie in the wheel, and a README that is read elsewhere."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
LINK = re.compile(r"(?P<picture>!?)\[(?P<words>[^\]]*)\]\((?![a-z]+:|#)(?P<target>[^)\s]+)\)")
"""A link or a picture whose target is a file of this repository."""


def readme_elsewhere() -> str:
    """The README where files of the repository are not, as on a package index: links leave their words behind."""
    text = (HERE / "README.md").read_text("utf-8")
    return LINK.sub(lambda link: "" if link["picture"] else link["words"], text)


setup(
    # The folder of configs stays at the top of a checkout, and becomes a folder of the package.
    packages=[*find_packages(include=["lightning_seg*"]), "lightning_seg.shipped_configs"],
    package_dir={"lightning_seg.shipped_configs": "configs"},
    package_data={
        "lightning_seg": ["py.typed"],
        "lightning_seg.doctor.telling": ["templates/*.html"],
        "lightning_seg.pages": ["templates/*.html"],
        "lightning_seg.report": ["templates/*.html"],
        "lightning_seg.shipped_configs": ["*.yaml", "*/*.yaml"],
    },
    long_description=readme_elsewhere(),
    long_description_content_type="text/markdown",
)
