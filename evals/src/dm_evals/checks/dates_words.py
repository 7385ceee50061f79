"""Names of days and months, and the words around dates, in English, German and Spanish."""

from collections.abc import Mapping
from typing import Final

_DAYS: Final = """monday tuesday wednesday thursday friday saturday sunday
montag dienstag mittwoch donnerstag freitag samstag sonntag
lunes martes miércoles jueves viernes sábado domingo"""
_SHORT_DAYS: Final[Mapping[str, int]] = {
    "Mon": 0,
    "Tue": 1,
    "Tues": 1,
    "Wed": 2,
    "Thu": 3,
    "Thur": 3,
    "Thurs": 3,
    "Fri": 4,
    "Sat": 5,
    "Sun": 6,
    "Mo": 0,
    "Di": 1,
    "Mi": 2,
    "Do": 3,
    "Fr": 4,
    "Sa": 5,
    "So": 6,
    "lun": 0,
    "mar": 1,
    "mié": 2,
    "jue": 3,
    "vie": 4,
    "sáb": 5,
    "dom": 6,
}
_MONTHS: Final = """january february march april may june july august september october november december
januar februar märz april mai juni juli august september oktober november dezember
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
jan feb mar apr may jun jul aug sep oct nov dec
jan feb mär apr mai jun jul aug sept okt nov dez
ene feb mar abr may jun jul ago set oct nov dic"""

DAYS: Final[Mapping[str, int]] = {
    **{name: index % 7 for index, name in enumerate(_DAYS.split())},
    "sonnabend": 5,
    "miercoles": 2,
    "sabado": 5,
}
SHORT_DAYS: Final[Mapping[str, int]] = {name.lower(): index for name, index in _SHORT_DAYS.items()}
"""Beside a date only: ``sat``, ``so`` and ``do`` are words too."""
ALONE: Final = ("Tue", "Tues", "Wed", "Thu", "Thur", "Thurs", "Fri")
"""Short names that are days even without a date, written with a capital."""
MONTHS: Final[Mapping[str, int]] = {name: index % 12 + 1 for index, name in enumerate(_MONTHS.split())}

RELATIVE: Final[Mapping[str, int]] = {
    "today": 0,
    "tonight": 0,
    "this evening": 0,
    "this afternoon": 0,
    "tomorrow": 1,
    "day after tomorrow": 2,
    "heute": 0,
    "morgen": 1,
    "übermorgen": 2,
    "hoy": 0,
    "esta tarde": 0,
    "esta noche": 0,
    "mañana": 1,
    "pasado mañana": 2,
}
"""Days from today."""

NOT_RELATIVE: Final = r"""
    guten\s+morgen | gute[nr]?\s+morgen | (?:heute|gestern|am|jeden|\w+tag)\s+morgen | morgens
  | (?:por|de|en)\s+la\s+mañana | esta\s+mañana | (?:good|in\s+the)\s+morning
"""
"""``Morgen`` and ``mañana`` are the morning too. (``esta mañana`` is said of what has been.)"""

RECURRING: Final = r"""
    \b(?:every|each|usual(?:ly)?|normal(?:ly)?|generally|typical(?:ly)?|regular(?:ly)?|weekly|most|always
       | jede[nrsm]?|immer|normalerweise|meist(?:ens)?|üblicherweise|regelmäßig|gewöhnlich|wöchentlich
       | todos\s+los|todas\s+las|cada|normalmente|habitualmente|siempre|suele[ns]?|solemos|semanal(?:mente)?
    )\b
"""
PLURAL: Final = r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days\b|\b(?:mon|diens|mitt|donners|frei|sams|sonn)(?:tags|wochs)\b|\blos\s+(?:lunes|martes|miércoles|miercoles|jueves|viernes|sábados|sabados|domingos)\b"  # noqa: E501

DENIED: Final = r"""
    \b(?:no|not|isn't|aren't|won't|don't|doesn't|can't|cannot|never|none|nothing|neither|without
       | kein(?:e[nrms]?)?|nicht|nichts|leider\s+kein\w*
       | ningún|ninguna?|nada|tampoco
    )\b
"""
"""What says that something does not take place; ``no hay`` begins with ``no``."""

NO_DENIAL: Final = r"""
    \b(?:no\s+(?:need|problem|worries|kit|equipment|gear|experience|charge|cost|booking|hace\s+falta|te\s+preocupes
          |necesitas?|olvides)
       | (?:do\s+not|don't|needn't)\s+(?:need|have\s+to|worry|forget|bring)
       | kein(?:e|en)?\s+(?:problem|sorgen?|ausrüstung|anmeldung) | nicht\s+vergessen
       | (?:brauchst|musst)\s+(?:\w+\s+){0,4}(?:nicht|kein\w*)
    )\b
"""
"""Denials of something else, which excuse no date."""
CLAUSES: Final = r"""
    (?<=[^\d\s][.!?])\s+ | (?<=\d[!?])\s+ | [\n;:]\s | \s[-–—]\s
  | ,?\s+\b(?:but|however|instead|though|aber|sondern|jedoch|sino|pero)\b
  | ,\s+(?:and\s+)?(?=(?:the\s+next|next|only|our|we|i|you|see|join|come|das\s+nächste|die\s+nächste|wir|dafür
        |el\s+próximo|la\s+próxima|tenemos|te\s+esperamos)\b)
"""
"""Where one statement ends and the next begins."""

COMPANY: Final = r"""
    \b(?:nets?|sessions?|practices?|training|trains?|match(?:es)?|games?|softball|class(?:es)?|starts?|begins?|kick
       | einheit(?:en)?|trainings?|spiel(?:e|en)?|beginnt|statt(?:findet)?|findet
       | entrenamientos?|entrenamos|sesión|sesiones|partidos?|empieza|práctica|redes
    )\b
  | \b\d{1,2}(?:[:.h]\d{2})?\s?(?:uhr|am|pm|h)\b | \b\d{1,2}:\d{2}\b
"""
"""``today`` and ``tomorrow`` name a session's day only in such company: "thanks for writing today" does not."""
