"""Flags and commands within texts, to be set so that they can be copied."""

import re
from collections.abc import Iterator

WORDS = "auto|cosine|disk|false|nearest|null|ram|skip|true"
VALUE = rf"(?:'[^']*'|\[[^\]]*\]|[\w.-]+/[\w./-]*\w|[\d.]*\d(?:e-?\d+)?\b|[A-Z]+\b|(?:{WORDS})\b)"
"""What is a flag's value and not the next word of the sentence."""
FLAG = rf"--(?:(?:config|output|run) [\w./-]*\w|[a-zA-Z_]\w*(?:\.\w+)*(?:[ =]{VALUE})?)"
COMMAND = re.compile(
    rf"lightning-seg [a-z]+(?: {FLAG})*|(?:\b(?:fit|test|validate|predict|doctor) )?{FLAG}(?: {FLAG})*"
)


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """The text cut into what is a command and what is not, in their order: ``(is_command, part)``."""
    end = 0
    for match in COMMAND.finditer(text):
        if match.start() > end:
            yield False, text[end : match.start()]
        yield True, match[0]
        end = match.end()
    if end < len(text):
        yield False, text[end:]
