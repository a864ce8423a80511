"""How the page looks: fonts of the reader's own system, light or dark as the system is, and the colours of classes."""

from collections.abc import Sequence
from typing import Any

from lightning_seg.app.answers import LegendEntry

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
FIXED = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
LEGEND = "legend"
STYLE = """
.gradio-container { max-width: 1400px !important; margin: 0 auto !important;
  --body-text-color-subdued: #57606a; --block-info-text-color: #57606a; --block-title-text-color: #24292f; }
.dark .gradio-container, .gradio-container.dark { --body-text-color-subdued: #b0b8c4;
  --block-info-text-color: #b0b8c4; --block-title-text-color: #e6e9ee; }
#head h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; }
#head p, .note { color: var(--body-text-color-subdued); margin: 0.2rem 0 0; }
.line { margin: 0.3rem 0; min-height: 1.5em; overflow-wrap: anywhere; }
.line.wrong { color: #b91c1c; font-weight: 600; }
.dark .line.wrong { color: #fca5a5; }
.tab-container[role=tablist] { flex-wrap: wrap !important; height: auto !important; }
.wide { overflow-x: auto; margin: 0.5rem 0 1rem; max-width: calc(100vw - 6rem); }
.curves { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
.curves figure { flex: 1 1 300px; max-width: 430px; margin: 0; }
.curves svg { width: 100%; height: auto; }
.curves svg text { fill: currentColor; }
ol.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 0.6rem;
  list-style: none; margin: 0; padding: 0; }
ol.pictures button, table.confusion td button { background: transparent !important; padding: 0 !important;
  margin: 0; color: inherit !important; font-weight: 400 !important; font-size: inherit; cursor: pointer; }
ol.pictures button { width: 100%; height: 100%; text-align: left; border: 1px solid var(--border-color-primary);
  border-radius: 6px !important; overflow: hidden; display: flex; flex-direction: column; }
ol.pictures button:hover, ol.pictures button[aria-current] { border-color: var(--color-accent);
  box-shadow: 0 0 0 1px var(--color-accent) !important; }
ol.pictures img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #8882; margin: 0; border-radius: 0; }
ol.pictures span { padding: 0.3rem 0.5rem; font-size: 0.85rem; overflow-wrap: anywhere; }
ol.pictures b { display: block; }
table.plain, table.plain tr { border-collapse: collapse; border: 0 !important; }
table.plain caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
table.plain th, table.plain td { padding: 0.2rem 0.6rem; border: 0;
  border-bottom: 1px solid var(--border-color-primary);
  text-align: left; font-weight: 400; white-space: nowrap; overflow-wrap: normal; word-break: normal; }
table.plain thead th { font-weight: 600; }
.patch { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 3px; border: 1px solid #8888; }
table.confusion td { text-align: center; padding: 0; min-width: 2.4rem; }
table.confusion td.none { color: var(--body-text-color-subdued); }
table.confusion td button { width: 100%; min-height: 2rem; border: 0; box-shadow: none; }
table.confusion td button[aria-current] { outline: 2px solid var(--color-accent); }
table.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
table.confusion td.right { background: color-mix(in srgb, #0072b2 calc(var(--share) * 0.6), transparent); }
table.confusion td.wrong { background: color-mix(in srgb, #d55e00 calc(var(--share) * 0.6), transparent); }
:focus-visible { outline: 2px solid var(--color-accent) !important; outline-offset: 2px; }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""


def make_theme() -> Any:
    """The library's default, without a font that would be loaded from elsewhere."""
    import gradio as gr

    return gr.themes.Default(font=list(FONTS), font_mono=list(FIXED))


def style_of(entries: Sequence[LegendEntry]) -> str:
    """The style sheet, with a patch of colour beside each class of the legend."""
    patches = (
        f"#{LEGEND} .wrap label:nth-of-type({number})::before {{ background: {entry.hex}; }}"
        for number, entry in enumerate(entries, start=1)
    )
    shape = (
        f"#{LEGEND} .wrap label::before {{ content: ''; display: inline-block; width: 1rem; height: 1rem; flex: none; "
        "border-radius: 3px; border: 1px solid #8888; margin-right: 0.4rem; }"
    )
    return "\n".join((STYLE, shape, *patches))
