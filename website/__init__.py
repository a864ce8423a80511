"""How the documentation site is made: what MkDocs cannot read from ``docs`` is written here when it builds."""
