# lightning_seg with the tested versions; the default command is the demo of the README.
#
#   docker build --tag lightning-seg .
#   docker build --tag lightning-seg:cuda --build-arg BASE=nvidia/cuda:13.0.1-base-ubuntu24.04 .
#
# The base needs Python 3.11.4 or newer, or Debian's packages of one.
ARG BASE=python:3.11-slim
FROM ${BASE}

# What a base for CUDA lacks; those with a Python of their own have it already.
RUN command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' || \
    (apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv && \
     rm -rf /var/lib/apt/lists/*)

ENV VIRTUAL_ENV=/opt/lightning-seg PATH=/opt/lightning-seg/bin:$PATH PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv "$VIRTUAL_ENV"

# Versions change less often than code, so the libraries are a layer of their own.
WORKDIR /src
COPY constraints.txt pyproject.toml setup.py README.md LICENSE ./
COPY lightning_seg lightning_seg
COPY configs configs
RUN python -m pip install --constraint constraints.txt . && rm -rf build

# No root. Any other user, as by --user, can write to the working folder, too, which is its home.
RUN useradd --uid 1001 trainer && mkdir --mode 1777 /workspace
ENV HOME=/workspace USER=trainer
USER trainer
WORKDIR /workspace

# What "make demo" does.
CMD ["sh", "-c", "lightning-seg fit --config pets --config overrides/demo && lightning-seg test --run runs/pets"]
