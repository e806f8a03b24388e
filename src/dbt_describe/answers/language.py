"""What language a text is in, as far as its script and its little words tell without doubt."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_ENGLISH = "English"
OTHER_SCRIPT = "a language in another script"
_COMMON_WORDS = {
    _ENGLISH: "a all an and any are as at be been before after between by each every for from has have if in into is "
    "it its more no not of on one only or other per than that the their them then there these they this to was were "
    "what when where whether which while who whose with without",
    # The commonest words of the others that aren't English words too.
    "German": "am auf aus bei beim das dem den der des deren diese dieser durch ein eine einem einen einer eines "
    "für im ist mit nach nicht oder pro sind über und vom von werden wird wurde zu zum zur",
    "French": "au aux avec ce cette chaque dans de des du elle est et la le les leur lors ne ou par pas pour qui que "
    "sa selon son sont sur une",
    "Spanish": "al cada como con cuando de del desde el en es este esta la las los o para por que se según si sin "
    "sobre su sus un una y",
    "Portuguese": "ao ou cada com como da das de dos em foi na não nas nos o os para pela pelo por quando que se sem "
    "seu são um uma é",
    "Italian": "al alla che con da dal dalla degli dei del della delle di e gli il la le nel nella ogni quando se si "
    "sono un una è",
    "Dutch": "aan bij dat de deze die dit een elke en het met naar niet op te uit van voor waarop werd wordt zijn",
    "Swedish": "av att de den det en ett för har med och på som till vid är",
    "Polish": "czy dla do jest lub na nie od oraz po przez się w z za że",
    # Those that would be taken for one of the above.
    "Norwegian": "av ble blir de den der det eller en er et etter fra har hver hvis hvor ikke med når og også om på "
    "samt som til ved",
    "Danish": "af blev bliver de den der det efter eller en er et fra har hver hvis hvor hvornår ikke med når og også "
    "om på samt som til ved",
    "Czech": "byl byla bylo do je jako která které který na nebo není od po pro při se v ve z za ze že",
    "Slovak": "ako alebo bol bola bolo do je ktorá ktoré ktorý na nie od po pre pri sa so v vo z za zo že",
    "Romanian": "al au ca care ce cu de din este în la nu pe pentru prin sau se sunt un unei unui și",
    "Catalan": "al amb com de del dels el els en es és la les o pel que quan segons sense són un una",
    "Galician": "ao co coa con da das de do dos en na nas non nos o os ou para pola polo que se seu sen súa un unha",
    "Afrikaans": "aan deur die dit elke en het met na nie op te uit van vir waar wat word",
    "Indonesian": "adalah atau dalam dan dari dengan di jika ke oleh pada saat setiap tidak untuk yang",
    "Malay": "ialah atau dalam dan dari dengan di jika ke oleh pada semasa setiap tidak untuk yang",
}
_WORDS_OF = {language: frozenset(words.split()) for language, words in _COMMON_WORDS.items()}
_FEWEST_FOREIGN_WORDS = 3
_QUOTED = re.compile(r"`[^`]*`|(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|“[^”]*”|‘[^’]*’")
_WORD = re.compile(r"[^\W\d_]+")


def language_of(texts: Iterable[str]) -> str:
    """The language, other than English, that the texts are clearly in, all taken together; else an empty string.

    Near relatives share little words, Danish and Norwegian most of them: a language counts where it leads by a quarter.
    """
    counts = _counts(" ".join(texts))
    if counts is None:
        return ""
    second, first = sorted(counts.values())[-2:]
    language = max(counts, key=lambda name: counts[name])
    is_clear = first >= _FEWEST_FOREIGN_WORDS and 4 * first >= 5 * second
    return language if is_clear and language != _ENGLISH else ""


def other_language(text: str, wanted: str = _ENGLISH) -> str:
    """The language of a text that is clearly not in the wanted one, or an empty string. Quoted values don't count.

    Of a language that isn't known here nothing is clear.
    """
    if wanted not in _WORDS_OF:
        return ""
    counts = _counts(text)
    if counts is None:
        return OTHER_SCRIPT
    right = counts.pop(wanted)
    language = max(counts, key=lambda name: counts[name])
    return language if counts[language] >= _FEWEST_FOREIGN_WORDS and counts[language] > right else ""


def _counts(text: str) -> dict[str, int] | None:
    """How many words of a text are little words of each language; None where most of it isn't in Latin letters."""
    prose = _QUOTED.sub(" ", text)
    if not prose.isascii() and _is_mostly_not_latin(prose):
        return None
    # Capitals begin names: Los Angeles.
    words = [word for word in _WORD.findall(prose[:1].lower() + prose[1:]) if word.islower()]
    return {language: sum(word in common for word in words) for language, common in _WORDS_OF.items()}


def _is_mostly_not_latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    latin = sum(character.isascii() or "LATIN" in unicodedata.name(character, "") for character in letters)
    return 2 * latin < len(letters)
