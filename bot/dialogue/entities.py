"""Facts in what a tenant typed, found by rule: where, who, which case, which room, when.

Deterministic on purpose: a postcode is a postcode whatever the sentence around it says, and a wrong guess would send a
joiner to the wrong door. Nothing here raises, whatever the text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import phonenumbers

from bot import references


@dataclass(frozen=True, slots=True)
class Entity:
    """A value and where in the text it stands."""

    name: str
    value: str
    start: int
    end: int


def _words(block: str) -> frozenset[str]:
    return frozenset(block.split())


# The letters that each place of a postcode may hold (Royal Mail, Programmers' Guide); typed O for 0 and I for 1 are read
# as figures where only a figure can stand.
_POSTCODE: Final = re.compile(
    r"(?<![A-Za-z0-9])([A-PR-UWYZ][A-HK-Y]?[0-9OIL][A-HJKPSTUW0-9OIL]?)[\s.\-]{0,3}([0-9OIL][ABD-HJLNP-UW-Z]{2})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_FIGURES: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_AREAS: Final = _words("""
    AB AL B BA BB BD BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY G
    GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL
    OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF
    WN WR WS WV YO ZE""")

_LETTERED_DISTRICTS: Final = frozenset({"E", "EC", "N", "NW", "SE", "SW", "W", "WC"})
_MISREAD: Final = {"0": "[0o]", "1": "[1il]"}

_STREET_KINDS: Final = (
    "street|st|road|rd|avenue|ave|av|drive|dr|lane|ln|crescent|cres|cresent|court|ct|place|pl|terrace|terr|ter|gardens|gdns|"
    "garden|square|sq|close|cl|way|wynd|loan|row|park|pk|view|brae|gait|gate|path|walk|hill|green|grove|gr|vennel|pend|"
    "mews|quay|bank|rise|bridge|toll|mains|cottages?|buildings|bldgs|steading|farm|parade|circle|neuk|haugh|knowe|causeway"
)
_ADDRESS: Final = re.compile(
    rf"""(?<![\w/#£.])
    (?P<flat>(?:flat|flt|apartment|apt|unit)\s*(?:no\.?\s*)?(?:\d{{1,3}}[A-Za-z]?|[A-Za-z])(?:\s*/\s*[0-9A-Za-z]{{1,3}})?\s*[,\s]\s*
     |\d{{1,3}}\s*/\s*\d{{1,3}}\s*[,\s]\s*)?
    (?:(?:number|no\.?|nr)\s*)?
    (?P<number>\d{{1,4}}\s?[A-Da-d]?(?:\s*/\s*[0-9A-Za-z]{{1,3}})?)(?![\w:.%£])
    \s*,?\s+
    (?P<street>(?:[A-Za-z][A-Za-z'’\-]*\s+){{1,3}}?
    (?:{_STREET_KINDS})(?:\s+(?:north|south|east|west))?)(?![A-Za-z])\.?""",
    re.IGNORECASE | re.VERBOSE,
)
_NOT_STREETS: Final = _words("""
    days day weeks week months month hours hour minutes mins years year times pm am of in on at the a my our and is was it to
    for from with inches inch feet ft pounds quid people kids children bed beds bedroom bedrooms""")

_NAME_LEAD: Final = re.compile(
    r"""(?P<sure>\b(?:my\s+(?:full\s+)?name(?:\s+is|['’]?s|\s*:)|i\s+am\s+called|i['’]?m\s+called|call\s+me|name\s*(?:is|:)
    |the\s+name(?:['’]?s|\s+is)))\s+
    |(?P<maybe>(?:^|[.!?,\n]\s*|\b(?:hi|hello|hiya|hey|morning|afternoon|evening|there)[,!.]?\s+)
    (?:it['’]?s|its|this\s+is|i['’]?m|i\s+am|im))\s+""",
    re.IGNORECASE | re.VERBOSE,
)
_NAME_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|['’\-](?=[^\W\d_]))*\.?")
_TITLES: Final = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "rev"})
_PARTICLES: Final = frozenset(
    {"de", "van", "von", "der", "den", "la", "le", "da", "di", "al", "el", "bin", "mac", "mc", "o"}
)
_NOT_NAMES: Final = _words("""
    a about absolutely after again ages all also always am an and another any anyone anything are around as asking at aware
    away awful back bad baltic because been before being blocked boiling broke broken brand but by calling can cannot cant
    chasing cold coming complaining concerned could crying damp day dead deaf desperate diabetic did disabled disgusted
    disgraceful dont done down dripping dying emergency enquiring every everything expecting fed feeling fine for freezing
    friday from getting giving going gonna good got great had half happy has have having he heating her here his homeless
    hoping how hungry i if ill in inside interested is it its joking just kidding late leaking like living locked looking lost
    making messaging me mental moving my myself near needing neither new no nobody not nothing now of off ok okay old on one
    only or our out over paying phoning pleased pouring pregnant putting quite raging raining really renting reporting
    ringing round running sad safe same saying scared seriously she shocking sick sitting skint so soaking some someone
    sorry standing starting stinking still struggling stuck sure taking tenant terrible terrified texting thankful that the
    their there they thinking this thinking tired to today tomorrow too trapped trying turning two under unable unhappy unwell
    up     upset urgent using very visually waiting wanting was water we well wet what when where which who why wi willing with
    without wondering working worried worse writing wrong yes yet you your years year weeks months weans kids mum dad wife
    husband son daughter neighbour carer landlord owner social worker partner behalf regarding re monday tuesday wednesday
    thursday saturday sunday evening morning afternoon awfy pure dead no nae fae frae aye tae doon oot cauld drookit scunnered
    please thanks thank phone email text number address flat house room kitchen bathroom boiler tap toilet door gas smoke fire
    electric power first second third last next true false enough about ready free busy available home alone outside
    partially blind elderly unemployed self employed vulnerable single retired confused afraid frightened fuming furious
    disappointed ashamed sleeping reliant dependent left right allowed entitled due behind owed short
    scottish english welsh irish polish british deid knackered""")
_ENDS_A_NAME: Final = re.compile(r"[.,;:!?\n(]|\s[-–—]\s")

_ROOMS: Final[Mapping[str, str]] = {
    "kitchen": "kitchen", "kitchin": "kitchen", "kichen": "kitchen", "kitchn": "kitchen", "kitchenette": "kitchen",
    "scullery": "kitchen", "bathroom": "bathroom", "bath room": "bathroom", "bathrom": "bathroom", "batroom": "bathroom",
    "shower room": "bathroom", "wet room": "bathroom", "wetroom": "bathroom", "en suite": "bathroom",
    "ensuite": "bathroom", "toilet": "toilet", "lavvy": "toilet", "cludgie": "toilet", "wc": "toilet", "loo": "toilet",
    "living room": "living room", "livingroom": "living room", "living rm": "living room", "livin room": "living room",
    "lounge": "living room", "sitting room": "living room", "front room": "living room", "big room": "living room",
    "dining room": "dining room", "diningroom": "dining room", "bedroom": "bedroom", "bed room": "bedroom",
    "bedrooms": "bedroom", "bedrom": "bedroom", "box room": "bedroom", "boxroom": "bedroom", "wee room": "bedroom",
    "back room": "bedroom", "nursery": "bedroom", "hall": "hall", "hallway": "hall", "hall way": "hall", "lobby": "hall",
    "landing": "landing", "stairs": "stairs", "staircase": "stairs", "stair": "stairs", "loft": "loft", "attic": "loft",
    "cupboard": "cupboard", "press": "cupboard", "airing cupboard": "cupboard", "utility room": "utility room",
    "utility": "utility room", "porch": "porch", "garden": "garden", "back green": "garden", "yard": "garden",
    "close": "close", "stairwell": "stairs", "bin store": "bin store", "bin shed": "bin store", "shed": "shed",
    "garage": "garage", "outside": "outside", "whole house": "whole house", "hale hoose": "whole house",
    "every room": "whole house", "all rooms": "whole house", "whole flat": "whole house", "throughout": "whole house",
    "all over the house": "whole house",
}  # fmt: skip
_AMBIGUOUS_ROOMS: Final = frozenset({"press", "close", "landing", "hall", "stair", "yard", "outside", "toilet"})
"""Words that mean a room only behind "in the", "on the" or as the whole answer."""

_DAYS: Final = {
    "monday": "Monday", "mon": "Monday", "tuesday": "Tuesday", "tues": "Tuesday", "tue": "Tuesday",
    "wednesday": "Wednesday", "weds": "Wednesday", "wednsday": "Wednesday", "thursday": "Thursday", "thurs": "Thursday",
    "thur": "Thursday", "friday": "Friday", "fri": "Friday", "saturday": "Saturday", "sunday": "Sunday",
}  # fmt: skip
_TIMES: Final[Mapping[str, str]] = _DAYS | {
    "morning": "morning", "mornings": "morning", "mornin": "morning", "forenoon": "morning", "before lunch": "morning",
    "afternoon": "afternoon", "afternoons": "afternoon", "aftie": "afternoon", "afternoun": "afternoon",
    "after lunch": "afternoon", "evening": "evening", "evenings": "evening", "after school": "afternoon",
    "after work": "evening", "anytime": "any", "any time": "any", "anyday": "any", "any day": "any", "whenever": "any",
    "any": "any", "asap": "asap", "as soon as possible": "asap", "soon as": "asap", "soonest": "asap",
    "straight away": "asap", "right away": "asap", "today": "today", "the day": "today", "tomorrow": "tomorrow",
    "the morra": "tomorrow", "the morn": "tomorrow", "tmrw": "tomorrow", "weekday": "weekday", "weekdays": "weekday",
    "next week": "next week",
}  # fmt: skip
_GREETINGS: Final = re.compile(
    r"\bgood\s+(?:morning|afternoon|evening)\b"
    r"|^\s*(?:morning|afternoon|evening)(?:\s*[,!.]\s*\w|\s+(?:all|there|folks|hi)\b)",
    re.IGNORECASE,
)


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=len, reverse=True))


_ROOM: Final = re.compile(rf"(?<![\w])({_alternatives(_ROOMS)})(?![\w])", re.IGNORECASE)
_IN_THE: Final = re.compile(
    r"(?:\b(?:in|on|at|the|my|our|up|down|doon|oot|out|by|tae|to|through|from|fae)\s+)$", re.IGNORECASE
)
_TIME: Final = re.compile(rf"(?<![\w])({_alternatives(_TIMES)})(?![\w])", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-z]+")
_ROOM_WORDS: Final = frozenset(name.split()[-1] for name in _ROOMS)
_TIME_WORDS: Final = frozenset(name.split()[-1] for name in _TIMES)
"""What rooms and times end with."""
_PHONE_START: Final = re.compile(r"(?:\+|\b0|\(0)\s*[\d(]")

_NO: Final = frozenset({
    "no", "n", "nope", "nah", "naw", "na", "nae", "no thanks", "no thank you", "naw thanks", "nah thanks", "not really",
    "no it isnt",
    "no its not", "no it is not", "naw its no", "it isnt", "its not", "i dont", "i havent", "im not", "no i dont", "no im not",
    "no i havent", "not now", "dont think so", "i dont think so", "definitely not", "wrong", "thats wrong", "incorrect",
    "thats not right", "no ta", "nup", "no way", "never", "not yet",
})  # fmt: skip
_YES: Final = frozenset({
    "yes", "y", "ye", "yep", "yeah", "yea", "yup", "yas", "yip", "aye", "ay", "ok", "okay", "okey", "okey dokey", "k", "kk",
    "sure", "yess",
    "correct", "right", "thats right", "thats correct", "true", "please", "please do", "go ahead", "definitely", "of course",
    "absolutely", "aye it is", "yes it is", "yes please", "yes thanks", "yeah please", "yep please", "aye please", "thats fine",
    "fine", "sounds good", "perfect", "confirm", "confirmed", "it is", "i do", "i am", "i have", "yes i do", "yes i am",
    "yes i have",
    "aye i do", "aye i am", "yes thats right", "aye thats right", "yes thats correct", "yeah thats right", "yep thats right",
    "aye ok", "ok aye", "yes ok", "ok yes", "ok thats fine", "aye sure", "yes sure", "yes correct", "aye fine", "yes of course",
    "och aye", "aye right enough", "yes yes", "aye aye", "yes definitely", "thats the one", "thats it", "ok then",
})  # fmt: skip
_BARE: Final = re.compile(r"[^a-z\s]+")


def yes_or_no(text: str) -> str | None:
    """`affirm` or `deny` when the text is a plain yes or no and nothing else; None otherwise."""
    if len(text) > 40:
        return None
    bare = " ".join(_BARE.sub("", text.lower()).split())
    bare = re.sub(r"(.)\1{2,}", r"\1", bare)
    if bare in _YES:
        return "affirm"
    return "deny" if bare in _NO else None


def extract(text: str) -> list[Entity]:
    """Every entity of a text, in the order they stand. What one has taken is not read again as a lesser one."""
    found: list[Entity] = []
    taken = [False] * len(text)
    for reader in _readers(text):
        for entity in reader(text):
            if not any(taken[entity.start : entity.end]):
                taken[entity.start : entity.end] = [True] * (entity.end - entity.start)
                found.append(entity)
    return sorted(found, key=lambda entity: entity.start)


def _readers(text: str) -> list[Callable[[str], Iterator[Entity]]]:
    """Those that may find something. Most messages name no room or no time, and to look for all of them takes longest."""
    readers: list[Callable[[str], Iterator[Entity]]] = [_references, _postcodes, _phones, _addresses, _names]
    words = _WORD.findall(text.lower()) if text.isascii() else [*_ROOM_WORDS, *_TIME_WORDS]
    if not _ROOM_WORDS.isdisjoint(words):
        readers.append(_rooms)
    if not _TIME_WORDS.isdisjoint(words):
        readers.append(_times)
    return readers


def by_name(entities: Iterable[Entity]) -> dict[str, Any]:
    """Each name once: its value, or the list of its distinct values in the order they stand."""
    grouped: dict[str, list[str]] = {}
    for entity in entities:
        values = grouped.setdefault(entity.name, [])
        if entity.value not in values:
            values.append(entity.value)
    return {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}


def postcode(text: str) -> str | None:
    """The first postcode in a text, in its printed form (`TD11 3DT`), or None."""
    return next((entity.value for entity in _postcodes(text)), None)


def phone(text: str) -> str | None:
    """The first British phone number in a text, in E.164, or None. Numbers kept for drama (07700 900xxx) count."""
    return next((entity.value for entity in _phones(text)), None)


def _postcodes(text: str) -> Iterator[Entity]:
    for match in _POSTCODE.finditer(text):
        outward, inward = match.group(1).upper(), match.group(2).upper()
        if not any(letter.isdigit() for letter in outward + inward[0]):
            continue  # "boiler" and "Polish" have the shape of a postcode with letters for figures
        for size in (2, 1):
            area, district = outward[:size], outward[size : size + 1].translate(_FIGURES) + outward[size + 1 :]
            if area in _AREAS and district[:1].isdigit():
                if area not in _LETTERED_DISTRICTS:
                    district = district.translate(_FIGURES)
                value = f"{area}{district} {inward[0].translate(_FIGURES)}{inward[1:]}"
                yield Entity("postcode", value, *match.span())
                break


def _phones(text: str) -> Iterator[Entity]:
    if not _PHONE_START.search(text):
        return
    for match in phonenumbers.PhoneNumberMatcher(text, "GB", leniency=phonenumbers.Leniency.POSSIBLE):
        number = match.number
        national = phonenumbers.national_significant_number(number)
        if not match.raw_string.lstrip("( ").startswith(("0", "+")):
            continue
        drama = number.country_code == 44 and national.startswith("7700900") and len(national) == 10
        if drama or phonenumbers.is_valid_number(number):
            value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            yield Entity("phone", value, match.start, match.end)


def _references(text: str) -> Iterator[Entity]:
    found = references.find(text)
    if found is None:
        return
    pattern = r"[\s\-–—.]{0,3}".join(
        re.escape(symbol) if symbol not in "01" else _MISREAD[symbol] for symbol in found if symbol != "-"
    )
    match = re.search(pattern, text, re.IGNORECASE)
    start, end = match.span() if match else (0, 0)
    yield Entity("reference", found, start, end)


def _addresses(text: str) -> Iterator[Entity]:
    for match in _ADDRESS.finditer(text):
        words = match.group("street").lower().split()
        if _NOT_STREETS.intersection(words) - {"the"} or words.count("the") > (words[0] == "the"):
            continue
        yield Entity("address", " ".join(match.group(0).replace(" ,", ",").split()).rstrip(",."), *match.span())


def _names(text: str) -> Iterator[Entity]:
    for lead in _NAME_LEAD.finditer(text):
        sure = lead.group("sure") is not None
        rest = text[lead.end() :]
        stop = _ENDS_A_NAME.search(rest)
        span = rest[: stop.start()] if stop else rest
        taken: list[str] = []
        end = lead.end()
        for match in _NAME_WORD.finditer(span):
            word = match.group(0).rstrip(".")
            lower = word.lower()
            gap = span[end - lead.end() : match.start()].strip()
            if len(taken) == 4 or gap or lower in {"and", "from", "at", "here", "of", "in", "on", "but", "speaking"}:
                break
            if lower in _NOT_NAMES and lower not in _TITLES:
                break
            taken.append(word)
            end = lead.end() + match.end()
        if not taken or (len(taken) == 1 and taken[0].lower() in _TITLES):
            continue
        if not sure and not _looks_like_a_name(taken):
            continue
        yield Entity("name", " ".join(_written(word) for word in taken), lead.end(), end)


def _looks_like_a_name(words: list[str]) -> bool:
    """After "I'm" or "this is" only what is written as a name, or has a title, is one."""
    if words[0].lower().rstrip(".") in _TITLES:
        return True
    return all(word[:1].isupper() or word.lower() in _PARTICLES for word in words)


def _written(word: str) -> str:
    if word.lower().rstrip(".") in _TITLES:
        return word.rstrip(".").capitalize()
    if word.islower() or (word.isupper() and len(word) > 2):
        if word.lower() in _PARTICLES - {"mac", "mc", "o"}:
            return word.lower()
        return re.sub(r"(^|[-'’])(\w)", lambda match: match.group(1) + match.group(2).upper(), word.lower())
    return word


def _rooms(text: str) -> Iterator[Entity]:
    for match in _ROOM.finditer(text):
        word = " ".join(match.group(1).lower().split())
        alone = match.group(0).strip() == text.strip(" .!,")
        if word in _AMBIGUOUS_ROOMS and not alone and not _IN_THE.search(text[: match.start()]):
            continue
        yield Entity("room", _ROOMS[word], *match.span())


def _times(text: str) -> Iterator[Entity]:
    greeting = _GREETINGS.search(text)
    for match in _TIME.finditer(text):
        if greeting and greeting.start() <= match.start() < greeting.end():
            continue
        word = " ".join(match.group(1).lower().split())
        if word == "any" and match.group(0).strip() != text.strip(" .!"):
            continue
        yield Entity("time", _TIMES[word], *match.span())
