"""What a run has to show: its files as plain records, and records as tables and figures.

``contents`` reads a run folder; ``tested``, ``confusion``, ``pixels``, ``metrics``, ``overview``, ``compared`` and
``command_lines`` turn what was read into rows, ``figures`` draws SVG. None of these imports torch.
"""
