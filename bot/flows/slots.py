"""What a tenant's words say: every reader of answers is here, and nowhere else.

A reader takes text as typed and returns what was found in a plain form, or None. None of them ever raises. Scots is
understood; words come back in plain English only where they are ours (`yes`, `no`).
"""

import re
from typing import Final

import phonenumbers

NOT_GIVEN: Final = "not given"
"""The answer of someone who does not know or would rather not say. Staff read it."""

_QUOTES: Final = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})

_YES: Final = re.compile(
    r"(?:yes|yeah|yep|yup|ya|y|aye|och aye|ay|uh huh|ok|okay|sure|certainly|definitely|correct|right|fine|i think so|"
    r"think so|probably|(?:i|we|you) can|(?:i|we) (?:do|have|am|are|could)|it is|there is|there are|all of us|everyone is|"
    r"everybody is|everyone'?s|everybody'?s|of course|course|safe|that'?s (?:right|it|correct|fine|grand)|that is right|"
    r"send(?: it)?|(?:it'?s |there'?s )?(?:just|only) (?:the |got )?(?:one|wan))\b",
    re.IGNORECASE,
)
_NO: Final = re.compile(
    r"(?:no|naw|nah|na|n|nope|none|nae|not|never|nobody|nothing|no one|cannae|canny|can'?t|cannot|dinnae|dinny|don'?t|"
    r"isnae|isn'?t|havenae|haven'?t)\b",
    re.IGNORECASE,
)
_NEGATED: Final = re.compile(
    r"\b(?:can'?t|cannot|cannae|canny|don'?t|dinnae|do not|isn'?t|isnae|is not|aren'?t|arenae|are not|won'?t|winnae|wilnae|"
    r"haven'?t|havenae|hasn'?t|hasnae|have no|has no|hae nae|there'?s no|there is no)\b",
    re.IGNORECASE,
)

_POSTCODE: Final = re.compile(r"\b([A-Z]{1,2}\d[A-Z\d]?)\s*(\d[A-Z]{2})\b", re.IGNORECASE)
_NUMBER: Final = r"\d{1,4}[a-z]?(?:\s?[/-]\s?\d{1,3}[a-z]?)?"
_FLAT: Final = (
    r"(?:(?:flat|apartment|apt|unit|room)\s*(?:no\.?\s*)?\w{1,4}(?:/\w{1,3})?[,\s]+)?(?:\d{1,2}/\d{1,2}[,\s]+(?=\d))?"
)
_STREETS: Final = (
    "street|st|road|rd|avenue|ave|av|drive|dr|lane|ln|crescent|cres|court|ct|place|pl|terrace|terr|gardens|gdns|way|close|"
    "wynd|row|brae|square|sq|park|loan|gate|vennel|hill|view|quay|wharf|green|grove|walk|path|mews|rise|bank|bridge|knowe|"
    "haugh|acre|acres|croft|field|causeway|pend|gait|port|mains|cottages|buildings|yards?|parkway|braes?|side|shore|hall"
)
_STREET_ADDRESS: Final = re.compile(
    rf"({_FLAT}{_NUMBER}),?\s+((?:[a-z][\w'.-]*\s+){{0,3}}?[a-z][\w'.-]*\s+(?:{_STREETS})\b\.?|high\s?gate\b)"
    r"((?:\s+(?!(?:my|the|i|it|its|and|no|please|thanks|can|there|we|our|hi|hello)\b)(?-i:[A-Z])[\w-]+)?"
    r"(?:\s*,\s*(?-i:[A-Z])[\w'-]+(?:\s(?-i:[A-Z])[\w'-]+)?){0,2})",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(rf"^{_FLAT}{_NUMBER},?\s+[a-z][\w'.-]+", re.IGNORECASE)
_NAMED_HOUSE: Final = re.compile(
    r"\b(?:cottage|house|lodge|farm|farmhouse|steading|mains|villa|manse|bungalow|court|tower|croft)\b", re.IGNORECASE
)
_NOT_STREETS: Final = re.compile(
    r"^\d+\s*(?:days?|weeks?|wks?|months?|years?|yrs?|hours?|hrs?|mins?|minutes?|times?|pm|am|o'?clock|of|radiators?|rooms?|"
    r"people|kids|bairns|weans|bedrooms?|windows?|doors?|nights?|pounds?|quid|and|or|to|is|in|on|not|please)\b",
    re.IGNORECASE,
)
_PEOPLE: Final = re.compile(
    r"(?:(?:my|our|ma|the|a|an|two|three|four|\d)\s+)?(?:(?:wee|young|elderly|old|disabled|newborn|pregnant)\s+)*"
    r"\b(?:weans?|wains?|bairns?|bab(?:y|ies)|kids?|child(?:ren)?|toddlers?|twins|grandchild(?:ren)?|grandkids|"
    r"(?:wee|little) (?:one|boy|girl|lad|lass)s?|pensioners?|granny|grandad|grandpa|grandma)\b"
    r"(?:\s+(?:is|are|who is|whos|aged?)?\s*(?:only\s+)?\d+\s+(?:weeks?|months?|years?)(?:\s+old)?)?"
    r"|\b\d+\s*(?:weeks?|months?|years?|yrs?|yr)\s+(?:old|auld)\b|\b(?:over|aged|i'?m|i am)\s+(?:6[5-9]|[7-9]\d)\b"
    r"|\b(?:i'?m|i am|she'?s|he'?s|they'?re|is|am)\s+(?:heavily\s+)?(?:pregnant|disabled|bedbound|housebound|blind|deaf|"
    r"an? wheelchair user|on oxygen)\b|\b(?:dementia|wheelchair|oxygen machine|dialysis|heart condition|asthma|copd|"
    r"stroke|chemo)\b",
    re.IGNORECASE,
)

_ADDRESS_OPENERS: Final = re.compile(
    r"^(?:hi|hello|sure|yes|aye|ok|so)?[,\s]*(?:(?:my|the|our)\s+)?(?:address(?:\s+is|'s)?|i(?:'?m| am)(?:\s+(?:at|in))?|"
    r"we(?:'?re| are)(?:\s+(?:at|in))?|it(?:'?s| is)(?:\s+(?:at|in))?|i\s+(?:live|stay|bide)\s+(?:at|in)|"
    r"we\s+(?:live|stay)\s+(?:at|in)|ah\s+(?:live|stay|bide)\s+(?:at|in)|number(?=\s*\d)|no\.?(?=\s*\d)|at|in)[:,\s]+",
    re.IGNORECASE,
)

_OPENS_CORRECTION: Final = re.compile(
    r"^(?:(?:no|naw|nah|nope|na|wrong|sorry|oops|wait|hang on|actually)\s*[,.:;!-]+|"
    r"(?:no|naw|nah|nope|na)(?=\s+(?:it'?s|it is|sorry|wait|i meant|i mean|ah meant|that should|it should|should be|number|"
    r"i'?m at|i am at|make (?:it|that))\b)|"
    r"(?:sorry|oops|wait|hang on|actually|correction|that'?s (?:wrong|no right|not right)|"
    r"i meant|i mean|ah meant|should be|that should be|it should be|change that to|make that|make it)\b)[\s,.:;!-]*"
    r"(?:(?:no|sorry|wait|actually|it'?s|it is|i meant|i mean|ah meant|that should be|it should be|should be|should say|"
    r"make that|make it|i'?m at|i am at|am at|we'?re at|that'?s)\b[\s,.:;!-]*)*",
    re.IGNORECASE,
)
_THIS_NOT_THAT: Final = re.compile(
    r"^(?:it'?s|it is|that'?s|i'?m (?:at|in)|should be)?\s*(?:the\s+|at\s+|number\s+)?(.{1,60}?),?\s+no(?:t|'?)?\s+"
    r"(?:at\s+|in\s+|number\s+|the\s+)?(.{1,60}?)[.!]?$",
    re.IGNORECASE,
)
_HOUSE_NUMBER: Final = re.compile(
    r"^(?:(?:it'?s|its|at|house)\s+)*(?:number|no\.?|num|nr|nummer|#)?\s*(\d{1,4}[a-z]?(?:/\d{1,3})?)[.!\s]*$",
    re.IGNORECASE,
)
_FLAT_ONLY: Final = re.compile(r"^(?:(?:it'?s|its|at)\s+)*(flat\s+\w{1,4}(?:/\w{1,3})?)[.!\s]*$", re.IGNORECASE)

_PHONE: Final = re.compile(r"(?<![\w/])(?:\+?44|0)[\d\s().-]{8,16}\d(?!\w)")

_NAME_OPENERS: Final = re.compile(
    r"^(?:hi|hello|hiya|hey|yes|aye|sure|it'?s|its|ok)?[,!.\s]*(?:my (?:full )?name(?:'?s| is)|the name(?:'?s| is)|"
    r"name(?:'?s| is)?|i(?:'?m| am)|ah'?m|this is|it(?:'?s| is)|they call me|ca' me|call me)[:\s]+",
    re.IGNORECASE,
)
_VOLUNTEERED_NAME: Final = re.compile(
    r"\b(?:[Mm]y name(?:'?s| is)|[Tt]his is|[Ii]t'?s|[Ii]'?m|[Ii] am)\s+((?:(?:Mr|Mrs|Ms|Miss|Dr)\.?\s+)?[A-Z][a-z'’-]+"
    r"(?:\s+(?:[A-Z][A-Za-z'’-]+))+)"
)
_WORDS_NOT_NAMES = (
    "a an the yes no aye naw nah ok okay what why who how when where which help none nothing nobody please hello hi thanks "
    "thank dunno know dont don't my your is are was not want need tap boiler leak heating flat number "
    "tenant someone person can could you it this that there here and or but so because i'm im i me we they for to from of "
    "on off in at do does did have has had repair complaint sorry skip pass later never mind stop cancel prefer rather say "
    "asap urgent soon today tomorrow morning afternoon anytime any cold broken bathroom kitchen bedroom same as "
    "before already told gave own business privacy private need opening hours open"
)
_NOT_NAMES: Final = frozenset(_WORDS_NOT_NAMES.split())
_SKIP: Final = re.compile(
    r"(?:skip|pass|next|n/?a|dunno|dinnae ken|nae idea|no idea|not sure|no sure|unsure|none|nothing|nope|naw|no|nah|"
    r"i?\s?don'?t know|i?\s?don'?t have (?:one|it|that)|haven'?t got (?:one|it)|no phone|no thanks?(?: you)?|"
    r"i'?d rather not(?: say)?|rather not(?: say)?|prefer not(?: to)?(?: say)?|not given|doesn'?t matter|disnae matter|"
    r"nothing else|that'?s it|that'?s all|lost it)(?: (?:please|thanks|sorry))?",
    re.IGNORECASE,
)
_WHY: Final = re.compile(
    r"^(?:but\s+)?(?:why|how come|what for|whit fur|whit for|what do you (?:need|want)|what'?s (?:it|that) (?:for|got)|"
    r"do i (?:have|need) to|do ye need|is that needed)\b",
    re.IGNORECASE,
)
_QUESTION: Final = re.compile(
    r"^(?:what|whit|when|where|which|who|how|hoo|why|can i|can you|can ye|do you|do ye|does|will|is there|are you|could you|"
    r"should i)\b",
    re.IGNORECASE,
)
_ADDS: Final = re.compile(
    r"^(?:oh[,\s]+)?(?:and|also|plus|as well|an aw|another thing|one (?:more|other) thing|(?:i\s+)?forgot|by the way|btw|"
    r"should have said|to add)\b",
    re.IGNORECASE,
)

_SMALL_TALK: Final = frozenset({
    "hi", "hiya", "hello", "hullo", "hey", "heya", "yo", "alright", "aye", "good", "morning", "mornin", "afternoon", "evening",
    "there", "again", "thanks", "thank", "thankyou", "thx", "ty", "ta", "cheers", "you", "so", "very", "much", "many", "a",
    "lot", "pal", "mate", "bye", "goodbye", "cheerio", "night", "goodnight", "see", "ya", "please",
})  # fmt: skip
_BARE_YES: Final = frozenset({"yes", "yep", "yeah", "yup", "aye", "ay", "ok", "okay", "sure", "y"})


def tidy(text: str) -> str:
    """`text` on one line, its quotes and dashes plain."""
    return " ".join(text.translate(_QUOTES).split())


def words_in(text: str) -> int:
    """How many words `text` has."""
    return len(text.split())


def only_words(text: str, words: frozenset[str]) -> bool:
    """Whether `text` is made of nothing but `words`."""
    return all(word in words for word in re.findall(r"\w+", text.casefold()))


def is_small_talk(text: str) -> bool:
    """Whether `text` is a greeting or a thank-you and nothing besides: "good morning", but not "any morning"."""
    return bool(text.strip()) and only_words(text, _SMALL_TALK)


def is_bare_yes(text: str) -> bool:
    """Whether `text` is "yes" and nothing besides."""
    return bool(text.strip()) and only_words(text, _BARE_YES)


def yes_no(text: str) -> str | None:
    """`yes` or `no`, from plain words, Scots and the short sentences that people answer with."""
    said = tidy(text).strip(" .!?,")
    if _YES.match(said):
        return "yes"
    if _NO.match(said) or _NEGATED.search(said):
        return "no"
    return None


def postcode(text: str) -> str | None:
    """A UK postcode anywhere in `text`, as `TD11 3DU`."""
    match = _POSTCODE.search(text)
    return f"{match[1].upper()} {match[2].upper()}" if match else None


def address(text: str, *, asked: bool = False) -> str | None:
    """House number and street, with what follows them (a town), without the postcode.

    Where it was `asked` for, a number and a word are enough, or the name of a house; else a street has to be named.
    """
    said = _POSTCODE.sub(" ", tidy(text.strip().replace("\n", ", ")))
    said = re.sub(r"[\s,]+$", "", re.sub(r"\s+,", ",", " ".join(said.split())))
    if asked:
        bare = said
        while (shorter := _ADDRESS_OPENERS.sub("", bare)) != bare:
            bare = shorter
        bare = bare.strip(" .,!")
        short = words_in(bare) <= 10
        if short and _NUMBERED.match(bare) and not _NOT_STREETS.match(bare):
            return _capitals(bare)
        vague = words_in(bare) < 3 and re.match(r"(?:the|my|our|a|this|that|whole)\b", bare, re.IGNORECASE)
        if short and words_in(bare) >= 2 and _NAMED_HOUSE.search(bare) and not vague and not _QUESTION.match(bare):
            return _capitals(bare)
    match = _STREET_ADDRESS.search(said)
    if match is None or _NOT_STREETS.match(match[0]):
        return None
    return _capitals(match[0].strip(" .,"))


def phone(text: str) -> str | None:
    """A UK telephone number anywhere in `text`, in E.164. Numbers set aside for drama count as numbers."""
    for match in _PHONE.finditer(tidy(text)):
        try:
            parsed = phonenumbers.parse(match[0], "GB")
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(parsed) and len(str(parsed.national_number)) in (9, 10):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return None


def phone_in_words(number: str) -> str:
    """`number` (E.164) with the spaces people read it out with."""
    try:
        parsed = phonenumbers.parse(number, "GB")
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)


def name(text: str, *, asked: bool = False) -> str | None:
    """What someone is called. Unasked, only "my name is …" and the like with capitals are believed."""
    said = tidy(text)
    if not asked:
        match = _VOLUNTEERED_NAME.search(said)
        return _a_name(match[1]) if match else None
    bare = _NAME_OPENERS.sub("", said)
    bare = re.split(r"[,(]|\s-\s|\band\b|\bat\b|\bhere\b|\d", bare, maxsplit=1)[0]
    return _a_name(bare.strip(" .!?\"'"))


def _a_name(said: str) -> str | None:
    parts = said.split()
    if not 1 <= len(parts) <= 5:
        return None
    if not all(re.fullmatch(r"[^\W\d_]+(?:['.-][^\W\d_]*)*", part) for part in parts):
        return None
    if any(part.casefold().strip(".") in _NOT_NAMES for part in parts):
        return None
    return _capitals(" ".join(parts))


def skips(text: str) -> bool:
    """Whether the tenant does not know, has none, or would rather not say."""
    return bool(_SKIP.fullmatch(tidy(text).strip(" .!?,")))


def asks_why(text: str) -> bool:
    """Whether the tenant wants to know why we ask."""
    return bool(_WHY.match(tidy(text))) and words_in(text) <= 12


def is_question(text: str) -> bool:
    """Whether the tenant asks rather than answers."""
    said = tidy(text)
    return said.endswith("?") or bool(_QUESTION.match(said))


def asks_back(text: str) -> bool:
    """Whether the text is a question of the tenant's own, not one about what we meant."""
    said = tidy(text)
    return said.endswith("?") and words_in(said) >= 3 and not re.search(r"\bmean\b", said, re.IGNORECASE)


def adds(text: str) -> bool:
    """Whether the text opens as an addition to something said before ("also the window")."""
    return bool(_ADDS.match(tidy(text)))


def correction(text: str) -> str | None:
    """What follows "no, …", "sorry, it's …", "I meant …"; None if the text does not open that way or says no more."""
    said = tidy(text)
    match = _OPENS_CORRECTION.match(said)
    rest = said[match.end() :].strip(" .!") if match else ""
    return rest or None


def corrected_address(known: str, text: str) -> str | None:
    """`known` put right by "no, number 14", "it's Main St not High St", "I meant 9 Duke Street"; None if it is not that."""
    rest = correction(text)
    said = rest or tidy(text).strip(" .!")
    pair = _THIS_NOT_THAT.match(said)
    if pair and (place := re.search(rf"(?<!\w){re.escape(pair[2].strip())}(?!\w)", known, re.IGNORECASE)):
        return _capitals(known[: place.start()] + pair[1].strip() + known[place.end() :])
    number = _HOUSE_NUMBER.match(said)
    if number and (rest or re.match(r"^(?:it'?s\s+)?(?:number|no\.?|num|#)", said, re.IGNORECASE)):
        if re.search(r"\d", known):
            return re.sub(r"(?<![\w/])\d{1,4}[a-z]?(?:/\d{1,3})?(?=,?\s+[A-Za-z])", number[1], known, count=1)
        return f"{number[1]} {known}"
    if (flat := _FLAT_ONLY.match(said)) is not None:
        without = re.sub(r"^flat\s+\w{1,4}(?:/\w{1,3})?[,\s]+", "", known, flags=re.IGNORECASE)
        return f"{_capitals(flat[1])}, {without}"
    return address(rest) if rest else None


def who_is_home(text: str) -> str | None:
    """What `text` says of children and of older, ill, pregnant or disabled people, in the tenant's own words."""
    said = tidy(text)
    found = [" ".join(match[0].split()) for match in _PEOPLE.finditer(said)]
    return shorten(", ".join(dict.fromkeys(found))) if found else None


def shorten(text: str, limit: int = 120) -> str:
    """`text` on one line in at most `limit` characters, cut between words."""
    said = tidy(text)
    if len(said) <= limit:
        return said
    return said[: limit - 3].rsplit(" ", 1)[0].rstrip(" ,.;") + "..."


def _capitals(text: str) -> str:
    if text != text.lower() and text != text.upper():
        return text[:1].upper() + text[1:]
    small = {"of", "the", "de", "von"}
    words = [word if word.casefold() in small else word[:1].upper() + word[1:].lower() for word in text.split()]
    return " ".join(words)
