"""The language of a short text, as far as a line in it has to be chosen: script first, then common words. Pure.

None rather than wrong: whoever asks has a line to fall back on.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_SCRIPTS: Final[Mapping[str, str]] = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CJK": "zh",
    "GREEK": "el",
    "HEBREW": "he",
    "ARABIC": "ar",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "THAI": "th",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
}
"""Scripts that one language, of those a profile is likely to name, is written in."""

_LETTERS: Final[Mapping[str, str]] = {"іїєґ": "uk", "پچژگ": "fa", "ٹڈڑے": "ur"}
"""Letters that tell a language from the others of its script."""

_WORDS: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the a an and or but is are was you your we our i it this that there what when where how which can will"
        " would should may not no yes of to in on at for from with by be have has do just so please thanks hello"
        " hi",
        "de": "der die das den dem ein eine einen und oder aber wenn ist sind war du dein ihr wir unser ich es wie"
        " was wann wo kann können nicht kein auch noch schon nur zu im am auf für mit bei aus nach von bitte"
        " danke hallo",
        "fr": "le la les un une des du et ou mais est sont était tu ton vous votre nous notre je il elle on ce cette"
        " qui que quand où comment peut pas ne dans sur avec pour par aux plus très aussi merci bonjour salut"
        " oui",
        "es": "el la los las un una y o pero es son está están hay tu tú su nos nuestro yo lo que qué cuándo dónde"
        " cómo puede no sí de del al en con por para más muy también ya gracias hola",
        "it": "il lo la gli un una e o ma è sono era hai abbiamo tu tuo voi vostro noi nostro io che chi cosa quando"
        " dove come può non di del della dei nel nella su con per da più molto anche grazie ciao",
        "pt": "o a os as um uma e ou mas é são está estão há tu você seu nós nosso eu que quando onde como pode não"
        " sim de do da dos no na em com por para mais muito também já obrigado obrigada olá",
        "nl": "de het een en of maar is zijn was je jij jouw u wij we ons ik er dit dat die wat wanneer waar hoe kan"
        " niet geen ook nog al van in op voor met bij uit naar aan alstublieft bedankt dank hallo",
        "sv": "en ett och eller men är var du din ni vi vår jag det den som vad när hur kan inte också av i på för"
        " med till från om har tack hej",
        "da": "en et og eller men er var du din vi vores jeg det den som hvad hvornår hvor hvordan kan ikke også af i"
        " på for med til fra om har tak hej",
        "no": "en et og eller men er var du din vi vår jeg det den som hva når hvor hvordan kan ikke også av i på for"
        " med til fra om har takk hei",
        "fi": "ja tai mutta on ovat oli sinä te me minä se tämä mitä milloin missä miten voi ei myös jo kanssa kiitos"
        " hei moi että kun olen",
        "pl": "i lub ale jest są był ty wy my ja to ten ta co kiedy gdzie jak może nie tak też już w na do z od dla"
        " po się dziękuję cześć proszę",
        "cs": "a nebo ale je jsou byl ty vy my já to ten ta co kdy kde jak může ne ano také už v na do z od pro po se"
        " děkuji ahoj prosím",
        "ro": "și sau dar este sunt era tu voi noi eu ce când unde cum poate nu da și în pe la de cu pentru din mai"
        " mulțumesc bună",
        "hu": "és vagy de van volt te ti mi én ez az mit mikor hol hogyan lehet nem igen is már egy a köszönöm szia",
        "tr": "ve veya ama bir bu şu sen siz biz ben ne nerede nasıl olabilir değil evet de da için ile var yok mı mi"
        " teşekkürler merhaba",
    }.items()
}

_NAMES: Final[Mapping[str, str]] = {
    "english": "en",
    "german": "de",
    "deutsch": "de",
    "french": "fr",
    "français": "fr",
    "spanish": "es",
    "español": "es",
    "italian": "it",
    "italiano": "it",
    "portuguese": "pt",
    "português": "pt",
    "dutch": "nl",
    "nederlands": "nl",
    "swedish": "sv",
    "danish": "da",
    "norwegian": "no",
    "finnish": "fi",
    "polish": "pl",
    "czech": "cs",
    "romanian": "ro",
    "hungarian": "hu",
    "turkish": "tr",
    "greek": "el",
    "hebrew": "he",
    "arabic": "ar",
    "persian": "fa",
    "urdu": "ur",
    "hindi": "hi",
    "bengali": "bn",
    "punjabi": "pa",
    "gujarati": "gu",
    "tamil": "ta",
    "telugu": "te",
    "japanese": "ja",
    "korean": "ko",
    "chinese": "zh",
    "russian": "ru",
    "ukrainian": "uk",
}

_NOISE: Final = re.compile(r"https?://\S+|\S+@\S+|@\w+|\b\w+\.\w{2,}\S*")
_WORD: Final = re.compile(r"[^\W\d_]+")


def language_key(name: str) -> str:
    """A language as a profile may write it (``en``, ``pt-BR``, ``English``) as one key."""
    lower = name.strip().lower()
    return _NAMES.get(lower, re.split("[-_]", lower)[0])


def language_of(text: str) -> str | None:
    """ISO 639-1 code, or None where the text is too short, mixed, or in a language not known here."""
    words = [word.lower() for word in _WORD.findall(_NOISE.sub(" ", unicodedata.normalize("NFC", text)))]
    letters = Counter(map(_script, "".join(words)))
    if not letters:
        return None
    script, count = letters.most_common(1)[0]
    if script == "CJK" and any(letters[kana] for kana in ("HIRAGANA", "KATAKANA")):
        return "ja"
    if count < 0.6 * letters.total():
        return None
    if script == "LATIN":
        return _by_words(words)
    return _by_letters(text) or ("ru" if script == "CYRILLIC" else _SCRIPTS.get(script))


def _by_words(words: list[str]) -> str | None:
    """The language whose common words are the most of them; None when two tie."""
    scores = {language: sum(map(common.__contains__, words)) for language, common in _WORDS.items()}
    (best, first), (_, second) = Counter(scores).most_common(2)
    return best if first > second else None


def _by_letters(text: str) -> str | None:
    return next((language for letters, language in _LETTERS.items() if any(char in letters for char in text)), None)


@lru_cache(maxsize=1_024)
def _script(char: str) -> str:
    return unicodedata.name(char, "?").split(" ", 1)[0]
