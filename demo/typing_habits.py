"""How people type: slips of the finger, capitals, and the many spellings of romanised Hindi."""

from __future__ import annotations

import random
import re

WORD = re.compile(r"[A-Za-z]+")
SENTENCE_START = re.compile(r"(^|[.?!]\s+)([a-z])")

SPELLINGS = {
    "nahi": ("nahi", "nahi", "nahin", "nhi", "nai"),
    "hai": ("hai", "hai", "hai", "h", "he"),
    "hain": ("hain", "hai", "h"),
    "mujhe": ("mujhe", "mujhe", "muje", "mjhe"),
    "mujhko": ("mujhko", "mujko"),
    "kyun": ("kyun", "kyu", "kyo", "q"),
    "kya": ("kya", "kya", "kia"),
    "kab": ("kab", "kab", "kb"),
    "kahan": ("kahan", "kaha", "khan"),
    "wapas": ("wapas", "vapas", "wapis", "vaapas"),
    "paise": ("paise", "paise", "paise", "paisa", "pese"),
    "chahiye": ("chahiye", "chahiye", "chaiye", "chahie"),
    "karna": ("karna", "karna", "krna"),
    "karne": ("karne", "karne", "krne"),
    "karo": ("karo", "karo", "kro"),
    "kar": ("kar", "kar", "kr"),
    "raha": ("raha", "raha", "rha"),
    "rahi": ("rahi", "rahi", "rhi"),
    "rahe": ("rahe", "rahe", "rhe"),
    "main": ("main", "main", "mai", "mein"),
    "mein": ("mein", "me", "mai"),
    "maine": ("maine", "maine", "mene"),
    "bahut": ("bahut", "bohot", "bhot"),
    "theek": ("theek", "thik", "theek"),
    "abhi": ("abhi", "abhi", "abi"),
    "tak": ("tak", "tak", "tk"),
    "hoon": ("hoon", "hu", "hun"),
    "tha": ("tha", "tha", "tha", "tha", "th"),
    "gaya": ("gaya", "gaya", "gya"),
    "gayi": ("gayi", "gayi", "gyi", "gai"),
    "aaya": ("aaya", "aaya", "aya"),
    "aayi": ("aayi", "aayi", "ayi"),
    "aayega": ("aayega", "ayega", "aega"),
    "lekin": ("lekin", "lekin", "lkn"),
    "please": ("please", "plz", "pls", "please"),
    "poochna": ("poochna", "puchna", "poochna"),
    "poochne": ("poochne", "puchne", "poochne"),
    "poocha": ("poocha", "pucha", "poocha"),
    "baare": ("baare", "bare"),
    "yeh": ("yeh", "ye"),
    "woh": ("woh", "wo"),
    "sirf": ("sirf", "sirf", "srf"),
    "pehle": ("pehle", "pahle", "phle"),
    "bhai": ("bhai", "bhai", "bhaiya"),
    "toota": ("toota", "tuta"),
    "badalna": ("badalna", "badalna", "badlna"),
    "zaroorat": ("zaroorat", "jarurat", "zarurat"),
    "kuch": ("kuch", "kuch", "kuchh"),
    "hua": ("hua", "hua", "huwa"),
    "accha": ("accha", "acha"),
    "jaldi": ("jaldi", "jldi", "jaldi"),
    "jaanna": ("jaanna", "janna"),
    "batao": ("batao", "btao", "bata do"),
}


def typo(text: str, rng: random.Random) -> str:
    """The text with one word of five letters or more mistyped; unchanged when there is none."""
    words = [found for found in WORD.finditer(text) if len(found[0]) >= 5]
    if not words:
        return text
    word = rng.choice(words)
    at = word.start() + rng.randint(1, len(word[0]) - 3)
    slips = (
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        text[:at] + text[at + 1 :],
        text[:at] + text[at] + text[at:],
    )
    return rng.choice(slips)


def sentence_case(text: str) -> str:
    """The text with a capital at the start of each sentence."""
    return SENTENCE_START.sub(lambda found: found[1] + found[2].upper(), text)


def spell_hindi(text: str, rng: random.Random) -> str:
    """The text as one writer spells it: each word in one spelling throughout."""
    habits: dict[str, str] = {}

    def spelt(found: re.Match[str]) -> str:
        word = found[0].lower()
        if word not in SPELLINGS:
            return found[0]
        return habits.setdefault(word, rng.choice(SPELLINGS[word]))

    return WORD.sub(spelt, text)
