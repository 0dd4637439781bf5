"""The page: its elements and what they call. Only this module uses Gradio."""

import html
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from dream_if.app.demo import Demo, Map
from dream_if.app.examples import Example
from dream_if.app.live import Live
from dream_if.app.offline import OfflineOnly
from dream_if.app.sliders import CHAIN, DEGRADED, MOST, TITLES, Sliders, Source
from dream_if.errors import InputError
from dream_if.inference.intensity import COLOURS
from dream_if.storage import IMAGE_ENDINGS

__all__ = ["build", "build_live", "serve"]

MOST_BYTES = 64 * 2**20  # of an uploaded file
PALETTE = "inferno"  # of heat
TICK = 0.1  # seconds after which a visitor asks for a newer live frame, if the last answer is there
QUEUE = 16  # visitors who may wait for their turn; one fusion goes on at a time

ABOUT = """\
# Dream-IF
Fuses a visible and an infrared picture of one scene into one, in its own size. Both must show it from the same place, \
pixel by pixel, or be aligned first. Uploads are deleted when the server stops."""
DOMINANCE = "Dominance is how much each source was trusted at a pixel: dark the map's least value, yellow its largest."
LIVE = "# Dream-IF\nTwo live sources, fused as they come. Everybody who opens this page sees the same frames."
CSS = """
.gradio-container {max-width: 1480px !important}
#examples .thumbnail-item {aspect-ratio: 8 / 3}
#examples .grid-wrap {min-height: 0; padding-top: 26px}
.live {display: grid; grid-template-columns: 2fr 1fr; gap: 12px; align-items: start}
.live figure {margin: 0 0 12px}
.live img {width: 100%}
"""
PRIVATE: dict[str, Any] = {"api_visibility": "private"}  # for this page alone, no interface for programs
FONTS = ("system-ui", "sans-serif")  # of the visitor's machine: Gradio's own come from a server of Google


class QuietBlocks(gr.Blocks):  # type: ignore[misc]  # Any to mypy
    """Blocks that answer a request which no page sends with a message, not with a traceback in the log."""

    async def preprocess_data(self, *args: Any, **kwargs: Any) -> Any:
        """What was sent as values of the components.

        Raises:
            gr.Error: A value is missing or is none that its component may have.
        """
        try:
            return await super().preprocess_data(*args, **kwargs)
        except gr.Error as error:  # such as a file of another kind
            error.print_exception = False
            raise
        except Exception as error:  # Gradio's components raise anything
            message = f"The request cannot be read: {type(error).__name__}."
            raise gr.Error(message, print_exception=False) from error


def build(demo: Demo, examples: Sequence[Example]) -> gr.Blocks:
    """The page, not yet served.

    Args:
        demo: what it calls.
        examples: pairs to choose from, none or more.
    """
    with QuietBlocks(title="Dream-IF", analytics_enabled=False) as page:
        gr.Markdown(ABOUT)
        with gr.Row():
            with gr.Column(scale=2, min_width=360):
                visible = _upload("Visible picture", "visible")
                infrared = _upload("Infrared picture", "infrared")
                gallery = _gallery(examples)
                with gr.Row():
                    colour = gr.Dropdown(list(COLOURS), value="rgb", label="Colours", elem_id="colour")
                    span = gr.Dropdown(
                        ["auto", "percentile", "full"],
                        value="auto",
                        label="Infrared range (or LOW,HIGH)",
                        allow_custom_value=True,
                        elem_id="range",
                    )
                with gr.Row():
                    align = gr.Checkbox(False, label="Align the infrared picture first", elem_id="align")
                    heat = gr.Checkbox(False, label=f"Show heat in colours ({PALETTE})", elem_id="heat")
                button = gr.Button("Fuse", variant="primary", size="lg", elem_id="fuse")
                with gr.Accordion("Degrade the sources first", open=True):
                    with gr.Row():
                        sliders = _sliders()
                    with gr.Row():
                        sources = gr.Radio(
                            list(DEGRADED), value="both", label="Degraded source", scale=3, elem_id="degraded"
                        )
                        seed = gr.Number(0, label="Seed", precision=0, scale=1, min_width=80, elem_id="seed")
            with gr.Column(scale=3, min_width=480):
                compared = gr.ImageSlider(
                    label="Visible | fused",
                    format="png",
                    interactive=False,
                    max_height=640,
                    buttons=["fullscreen"],
                    elem_id="fused",
                )
                download = gr.DownloadButton("Download the fused picture", interactive=False, elem_id="download")
                summary = gr.Markdown("", elem_id="summary")
                with gr.Row():
                    visible_view = _picture("Visible, as the network sees it", "visible_view")
                    infrared_view = _picture("Infrared, as the network sees it", "infrared_view")
                with gr.Row():
                    trust_visible = _picture("Dominance, visible", "dominance_visible")
                    trust_infrared = _picture("Dominance, infrared", "dominance_infrared")
                gr.Markdown(DOMINANCE)

        settings = [sources, seed, *sliders]
        rows: list[tuple[gr.File, gr.Image, Source]] = [
            (visible, visible_view, "visible"),
            (infrared, infrared_view, "infrared"),
        ]
        for file, view, source in rows:
            gr.on(
                [file.change, *(control.change for control in (span, *settings))],
                _previewing(demo, source),
                inputs=[file, span, *settings],
                outputs=view,
                show_progress="hidden",
                trigger_mode="always_last",
                **PRIVATE,
            )
        fusing: dict[str, Any] = {
            "fn": _fusing(demo),
            "inputs": [visible, infrared, colour, span, align, heat, *settings],
            "outputs": [compared, trust_visible, trust_infrared, download, summary],
            "concurrency_limit": 1,
            "concurrency_id": "network",
            **PRIVATE,
        }
        button.click(**fusing)
        gallery.select(_choosing(examples), outputs=[visible, infrared], **PRIVATE).success(**fusing)
    return page


def build_live(live: Live) -> gr.Blocks:
    """The page of two live sources, not yet served.

    Each visitor asks for the newest view once the last one has come. A generator's frames would wait for a slow browser
    without end, and pictures of Gradio's own would fill the disk.

    Args:
        live: what fuses them, started.
    """

    def look(number: int) -> Any:
        view = live.view
        if view.number == number or not view.pictures:
            return gr.skip()
        fused, visible, infrared = (
            f'<figure><img src="{uri}" alt="{name}" decoding="sync"><figcaption>{name}</figcaption></figure>'
            for name, uri in zip(("Fused", "Visible", "Infrared"), view.pictures, strict=True)
        )
        line = html.escape(view.line, quote=False)
        said = f"**{line}.** This is the last frame; start the app anew to go on." if view.ended else line
        return view.number, f'<div class="live">{fused}<div>{visible}{infrared}</div></div>', said

    with QuietBlocks(title="Dream-IF", analytics_enabled=False) as page:
        gr.Markdown(LIVE)
        number, line, window = gr.State(0), gr.Markdown(elem_id="line"), gr.HTML(elem_id="live")
        gr.Timer(TICK).tick(
            look,
            inputs=number,
            outputs=[number, window, line],
            queue=False,
            show_progress="hidden",
            trigger_mode="once",
            **PRIVATE,
        )
    return page


def serve(page: gr.Blocks, host: str, port: int | None, share: bool) -> gr.Blocks:
    """Serve the page, and go on.

    Args:
        page: as `build` made it.
        host: address to listen on.
        port: None for the first free one from Gradio's usual one on.
        share: show it to the world, by a tunnel through Gradio's server.

    Raises:
        InputError: The address cannot be had.
    """
    page.queue(max_size=QUEUE)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            share=share,
            max_file_size=MOST_BYTES,
            prevent_thread_lock=True,
            quiet=not share,
            ssr_mode=False,
            footer_links=[],
            run_history=False,
            theme=gr.themes.Default(font=FONTS, font_mono=("ui-monospace", "monospace")),
            css=CSS,
            app_kwargs={"middleware": [Middleware(OfflineOnly)]},
        )
    except OSError as error:
        raise InputError(f"the page cannot be served on {host}, port {port or 'any'}: {error}.") from error
    return page


def _upload(label: str, name: str) -> gr.File:
    return gr.File(label=label, file_types=list(IMAGE_ENDINGS), height=140, elem_id=name)


def _picture(label: str, name: str) -> gr.Image:
    return gr.Image(label=label, format="png", interactive=False, buttons=["fullscreen"], elem_id=name)


def _gallery(examples: Sequence[Example]) -> gr.Gallery:
    return gr.Gallery(
        [example.thumbnail for example in examples],
        label="Or an example pair: generated scenes",
        format="png",
        columns=2,
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        visible=bool(examples),
        elem_id="examples",
    )


def _sliders() -> list[gr.Slider]:
    """One for each kind, in the order of `CHAIN`."""
    return [gr.Slider(0, MOST, value=0, step=1, label=TITLES[kind], min_width=180, elem_id=kind) for kind in CHAIN]


def _sliders_at(sources: Any, seed: Any, levels: Sequence[Any]) -> Sliders:
    return Sliders(dict(zip(CHAIN, levels, strict=True)), sources, seed or 0)  # the box may be empty


def _previewing(demo: Demo, source: Source) -> Callable[..., Any]:
    def preview(file: str | None, span: str, sources: Any, seed: Any, *levels: Any) -> Any:
        with _as_message():
            return demo.preview(file, source, _sliders_at(sources, seed, levels), span)

    return preview


def _fusing(demo: Demo) -> Callable[..., Any]:
    def fuse(visible: str | None, infrared: str | None, colour: Any, span: str, *settings: Any) -> Any:
        align, heat, sources, seed, *levels = settings
        with _as_message():
            sliders = _sliders_at(sources, seed, levels)
            outcome = demo.fuse(visible, infrared, sliders, colour, span, bool(align), PALETTE if heat else None)
        return (
            (outcome.visible, outcome.fused),
            _trust("visible", outcome.dominance_visible),
            _trust("infrared", outcome.dominance_infrared),
            gr.DownloadButton(value=outcome.file, interactive=True),
            outcome.summary,
        )

    return fuse


def _trust(source: Source, found: Map | None) -> gr.Image:
    title = f"Dominance, {source}"
    return (
        gr.Image(None, label=f"{title}: none in this network")
        if found is None
        else gr.Image(found.image, label=f"{title}: {found.span}")
    )


def _choosing(examples: Sequence[Example]) -> Callable[..., Any]:
    def choose(chosen: gr.EventData) -> tuple[str, str]:  # SelectData fails at what no page sends
        with _as_message():
            try:
                index = chosen.index
            except (AttributeError, TypeError):
                index = None
            if not isinstance(index, int) or index not in range(len(examples)):
                raise InputError(f"example: expected a number below {len(examples)}, got {str(index)[:100]}.")
        return str(examples[index].visible), str(examples[index].infrared)

    return choose


@contextmanager
def _as_message() -> Iterator[None]:
    """A user's mistake as a message on the page."""
    try:
        yield
    except InputError as error:
        raise gr.Error(html.escape(str(error), quote=False), duration=20, print_exception=False) from error
