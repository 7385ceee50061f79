"""The terminal of ``make dev``: the conversation on the left, the event log beside it, a line to type below.

Without a terminal the same lines are printed, one after the other, until the process is stopped.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import TextArea

from dm_sandbox.chat import HELP, Chat, ChatLine
from dm_sandbox.events import Entry

KEPT_LINES = 500
STYLE = Style.from_dict(
    {
        "person": "ansicyan",
        "club": "ansigreen bold",
        "owner": "ansiyellow",
        "manager": "ansimagenta",
        "note": "italic ansigray",
        "good": "ansigreen",
        "warning": "ansiyellow",
        "error": "ansired",
        "border": "ansigray",
        "title": "reverse",
    }
)


def chat_words(line: ChatLine) -> str:
    """A line of the conversation as text."""
    words = f"{line.name}: {line.words}" if line.name else line.words
    return f"{_time(line.at)} {words}"


def event_words(entry: Entry) -> str:
    """A line of the event log as text."""
    return f"{_time(entry.at)} {entry.source:<9} {entry.words}"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


class _ByLine(Lexer):
    """Colours whole lines."""

    def __init__(self, styles: list[str]) -> None:
        self._styles = styles

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        def line(number: int) -> StyleAndTextTuples:
            style = self._styles[number] if number < len(self._styles) else ""
            return [(f"class:{style}" if style else "", document.lines[number])]

        return line


class _Pane:
    """A column of lines that stays at its end."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._styles: list[str] = []
        self.area = TextArea(
            read_only=True, focusable=False, wrap_lines=True, lexer=_ByLine(self._styles), scrollbar=False
        )

    def add(self, words: str, style: str) -> None:
        self._lines.append(" ".join(words.split("\n")))
        self._styles.append(style)
        del self._lines[:-KEPT_LINES], self._styles[:-KEPT_LINES]
        text = "\n".join(self._lines)
        self.area.buffer.set_document(Document(text, len(text)), bypass_readonly=True)


class Terminal:
    """The full-screen application. ``run`` returns when /quit, Ctrl-C or Ctrl-D was typed."""

    def __init__(self, chat: Chat, title: str, source: Input | None = None, output: Output | None = None) -> None:
        self._chat = chat
        self._conversation, self._events = _Pane(), _Pane()
        self._typing: set[asyncio.Task[None]] = set()
        typed = TextArea(height=1, prompt="> ", multiline=False, accept_handler=self._accept)
        shown = Condition(lambda: chat.events_shown)
        border = Window(width=1, char="│", style="class:border")
        beside = ConditionalContainer(VSplit([border, self._events.area]), filter=shown)
        panes = VSplit([self._conversation.area, beside], width=Dimension(weight=1))
        heading = Window(FormattedTextControl(f" {title}"), height=1, style="class:title")
        keys = KeyBindings()
        keys.add("c-c")(self._quit)
        keys.add("c-d")(self._quit)
        rule = Window(height=1, char="─", style="class:border")
        layout = Layout(HSplit([heading, panes, rule, typed]), focused_element=typed)
        self._app: Application[None] = Application(
            layout, STYLE, key_bindings=keys, full_screen=True, input=source, output=output
        )

    async def run(self) -> None:
        for line in self._chat.lines:
            self._said(line)
        for entry in self._chat.sandbox.log.entries:
            self._happened(entry)
        self._chat.listen(self._said)
        self._chat.sandbox.log.listen(self._happened)
        self._chat.note(HELP)
        await self._app.run_async(handle_sigint=False)
        for task in list(self._typing):
            task.cancel()
        await asyncio.gather(*self._typing, return_exceptions=True)

    def _said(self, line: ChatLine) -> None:
        self._conversation.add(chat_words(line), line.who)
        self._app.invalidate()

    def _happened(self, entry: Entry) -> None:
        self._events.add(event_words(entry), "" if entry.level == "info" else entry.level)
        self._app.invalidate()

    def _accept(self, typed: Buffer) -> bool:
        """Send what was typed without holding up the next line; False empties the line."""
        task = asyncio.create_task(self._type(typed.text))
        self._typing.add(task)
        task.add_done_callback(self._typing.discard)
        return False

    async def _type(self, line: str) -> None:
        if not await self._chat.type(line) and self._app.is_running:
            self._app.exit()

    def _quit(self, event: KeyPressEvent) -> None:
        event.app.exit()


def print_lines(chat: Chat) -> None:
    """Print every line and event from now on."""
    for entry in chat.sandbox.log.entries:
        print(event_words(entry), flush=True)
    chat.listen(lambda line: print(chat_words(line), flush=True))
    chat.sandbox.log.listen(lambda entry: print(event_words(entry), flush=True))
