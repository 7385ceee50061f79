"""The words by which the manager steers from WhatsApp, in the profile's languages. Never interpreted by a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from dm_core.agent.languages import language_key
from dm_core.agent.rules import word_form


class Command(StrEnum):
    """What the manager can say: quoting an alert it is about that conversation, else about all of them."""

    PAUSE = "pause"  # humans answer until resume
    RESUME = "resume"
    DONE = "done"  # what was handed over is seen to
    OFF = "off"  # nobody is answered, no model is asked
    ON = "on"
    LIST = "list"
    HELP = "help"
    SEND = "send"  # these three are about a draft that is quoted
    EDIT = "edit"
    DROP = "drop"


_WORDS: Final[Mapping[str, Mapping[Command, str]]] = {
    "de": {
        Command.PAUSE: "pause pausieren",
        Command.RESUME: "weiter fortsetzen",
        Command.DONE: "erledigt fertig",
        Command.OFF: "aus",
        Command.ON: "an ein",
        Command.LIST: "liste",
        Command.HELP: "hilfe",
        Command.SEND: "senden abschicken",
        Command.EDIT: "bearbeiten ändern",
        Command.DROP: "verwerfen",
    },
    "fr": {
        Command.PAUSE: "pause",
        Command.RESUME: "reprendre",
        Command.DONE: "fait terminé",
        Command.OFF: "arrêt éteindre",
        Command.ON: "marche allumer",
        Command.LIST: "liste",
        Command.HELP: "aide",
        Command.SEND: "envoyer",
        Command.EDIT: "modifier",
        Command.DROP: "rejeter",
    },
    "es": {
        Command.PAUSE: "pausa pausar",
        Command.RESUME: "reanudar continuar",
        Command.DONE: "hecho listo",
        Command.OFF: "apagar",
        Command.ON: "encender",
        Command.LIST: "lista",
        Command.HELP: "ayuda",
        Command.SEND: "enviar",
        Command.EDIT: "editar",
        Command.DROP: "descartar",
    },
    "it": {
        Command.PAUSE: "pausa",
        Command.RESUME: "riprendi continua",
        Command.DONE: "fatto",
        Command.OFF: "spegni",
        Command.ON: "accendi",
        Command.LIST: "lista",
        Command.HELP: "aiuto",
        Command.SEND: "invia",
        Command.EDIT: "modifica",
        Command.DROP: "scarta",
    },
    "nl": {
        Command.PAUSE: "pauze",
        Command.RESUME: "verder hervat",
        Command.DONE: "klaar gedaan",
        Command.OFF: "uit",
        Command.ON: "aan",
        Command.LIST: "lijst",
        Command.HELP: "hulp",
        Command.SEND: "verstuur verzenden",
        Command.EDIT: "bewerk wijzig",
        Command.DROP: "verwerp",
    },
    "pt": {
        Command.PAUSE: "pausa pausar",
        Command.RESUME: "retomar continuar",
        Command.DONE: "feito pronto",
        Command.OFF: "desligar",
        Command.ON: "ligar",
        Command.LIST: "lista",
        Command.HELP: "ajuda",
        Command.SEND: "enviar",
        Command.EDIT: "editar",
        Command.DROP: "descartar",
    },
}
"""Besides the English ones, which always hold."""

HELP: Final = (
    "Quote an alert and write: your words go to that person on Instagram. Quote it with pause, resume, done, off or on"
    " to steer that conversation; the same words alone steer all of them. list shows what waits for a human."
)


@dataclass(frozen=True, slots=True)
class Commands:
    """The words of one deployment."""

    words: Mapping[str, Command]

    @classmethod
    def of(cls, languages: Sequence[str]) -> Self:
        words = {command.value: command for command in Command}
        for language in languages:
            for command, listed in _WORDS.get(language_key(language), {}).items():
                words |= {word_form(word): command for word in listed.split() if word_form(word) not in words}
        return cls(words)

    def find(self, text: str) -> Command | None:
        """The command that a whole message is."""
        return self.words.get(word_form(text))
