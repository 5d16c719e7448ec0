"""From a place's name to a slug: Ukrainian letters in Latin ones (Cabinet of Ministers resolution 55 of 2010)."""

from __future__ import annotations

import re
import unicodedata

_LETTERS = dict(
    zip(
        "абвгґдеєжзиіїйклмнопрстуфхцчшщюяыэёъ",
        [
            "a",
            "b",
            "v",
            "h",
            "g",
            "d",
            "e",
            "ie",
            "zh",
            "z",
            "y",
            "i",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "ch",
            "sh",
            "shch",
            "iu",
            "ia",
            "y",
            "e",
            "e",
            "",
        ],
        strict=True,
    )
)
_FIRST = {"є": "ye", "ї": "yi", "й": "y", "ю": "yu", "я": "ya"}
LONGEST = 40


def slug_of(name: str) -> str:
    """A slug proposed for a name; empty if nothing of the name can stand in one."""
    words = []
    for word in re.findall(r"\w+", re.sub(r"[ь'’ʼ`]", "", name.lower())):
        latin = word.replace("зг", "zgh")
        latin = _FIRST.get(latin[:1], latin[:1]) + latin[1:]
        latin = "".join(_LETTERS.get(letter, letter) for letter in latin)
        plain = unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode()
        words.append(re.sub(r"[^a-z0-9]", "", plain))
    return "-".join(word for word in words if word)[:LONGEST].strip("-")
