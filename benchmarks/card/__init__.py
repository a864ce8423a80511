"""Parts of ``benchmarks/gpu.py``: what is measured, in which rows, and the report of it."""
