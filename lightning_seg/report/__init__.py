"""What a run has to show: its files as plain records, records as tables and figures, and all of it as one page.

``contents`` reads a run folder; ``tested``, ``confusion``, ``metrics``, ``overview``, ``compared`` and
``command_lines`` turn what was read into rows. None of these imports torch.
"""
