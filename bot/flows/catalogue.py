"""The catalogue of repairs: what can be wrong with a home, in tenants' words, and what to ask about it.

    CatalogueError      `nlu_data/repairs.yml` cannot be used; the message is one `file:line: reason` per fault

The categories are a closed set, because each policy gives every one of them a priority; words, labels and questions are
data.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from bot.flows.slots import tidy

_CATEGORIES = (
    "no_power partial_power unsafe_electrics no_water partial_water leak leak_contained flooding roof_leak no_heating "
    "no_hot_water partial_heating gas_supply_lost blocked_flue foul_drain blocked_sink only_toilet toilet "
    "insecure_door_window unsafe_path_step loose_banister unsafe_floor_stairs extractor_fan smoke_alarm co_alarm damp_mould "
    "gutter door_window dripping_tap kitchen_joinery plaster_walls fence_gate pests communal_area lift structure lock_out "
    "asbestos other"
)
CATEGORIES: Final = frozenset(_CATEGORIES.split())
"""Every policy says how urgent each of these is, so an association cannot add to them alone."""

_ANSWERS: Final = frozenset({"yes_no", "all_or_part", "words"})
_GAP: Final = r"(?:\s+\S+){0,2}?\s+"
"""Up to two other words may stand between the words of a phrase: "tap is still dripping"."""


class CatalogueError(Exception):
    """See the module's docstring."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question that a category calls for, named by the slot that keeps its answer."""

    slot: str
    answer: str
    """`yes_no`, `all_or_part` or `words`."""
    becomes: Mapping[str, str] = field(default_factory=dict)
    """By answer, the category that it turns out to be."""
    raises: frozenset[str] = frozenset()
    """Answers that raise the priority by one level."""
    only_if: Mapping[str, str] = field(default_factory=dict)
    """Answers to earlier questions without which this one is not asked."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words by which a category is known."""

    opening: str
    """What the first word begins with: looked for first, because searching for every pattern takes its time."""
    pattern: re.Pattern[str]
    weight: int

    def fits(self, said: str) -> bool:
        return self.opening in said and self.pattern.search(said) is not None


@dataclass(frozen=True, slots=True)
class Repair:
    """One category."""

    id: str
    label: str
    room: bool
    """Whether it matters in which room it is."""
    follow_ups: tuple[FollowUp, ...]
    phrases: tuple["Phrase", ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All categories and rooms, in the order of the file."""

    repairs: Mapping[str, Repair]
    rooms: Mapping[str, tuple[re.Pattern[str], ...]]
    room_labels: Mapping[str, str]

    def category(self, text: str) -> str | None:
        """The category that `text` speaks of; the most telling phrase decides, an earlier category among equals."""
        said = _plain(text)
        best: tuple[int, str] | None = None
        for repair in self.repairs.values():
            weight = max((phrase.weight for phrase in repair.phrases if phrase.fits(said)), default=0)
            if weight and (best is None or weight > best[0]):
                best = (weight, repair.id)
        return best[1] if best else None

    def room(self, text: str) -> str | None:
        """The label of the room that `text` names first."""
        said = _plain(text)
        found = [
            (match.start(), self.room_labels[room])
            for room, patterns in self.rooms.items()
            for pattern in patterns
            if (match := pattern.search(said))
        ]
        return min(found)[1] if found else None

    def follow_ups(self, category: str | None) -> tuple[FollowUp, ...]:
        """The questions that `category` calls for."""
        repair = self.repairs.get(category or "")
        return repair.follow_ups if repair else ()


def load_catalogue(path: Path) -> Catalogue:
    """Read `repairs.yml`. Raises CatalogueError."""
    faults: list[str] = []
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise CatalogueError(f"{path}:1: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogueError(f"{path}:{line}: not YAML: {error.problem}") from error
    places = _places(path, node)
    if not isinstance(root, dict) or root.keys() != {"rooms", "categories"}:
        raise CatalogueError(f"{path}:1: needs rooms and categories, and nothing else")
    rooms = {str(room): dict(entry) for room, entry in root["rooms"].items()}
    repairs: dict[str, Repair] = {}
    for identity, entry in root["categories"].items():
        place = places.get(("categories", identity), f"{path}:1")
        if identity not in CATEGORIES:
            faults.append(f"{place}: {identity} is not one of the known categories")
        repairs[identity] = _repair(identity, entry or {}, place, faults)
    faults += [f"{path}:1: the category {missing} is missing" for missing in sorted(CATEGORIES - repairs.keys())]
    if faults:
        raise CatalogueError("\n".join(faults))
    return Catalogue(
        repairs,
        {room: tuple(_phrase(words) for words in entry["words"]) for room, entry in rooms.items()},
        {room: str(entry["label"]) for room, entry in rooms.items()},
    )


def _repair(identity: str, entry: Mapping[str, Any], place: str, faults: list[str]) -> Repair:
    for key in entry.keys() - {"label", "words", "room", "ask", "first"}:
        faults.append(f"{place}: {identity} has {key}, which is not known")
    if not entry.get("label"):
        faults.append(f"{place}: {identity} has no label")
    words: Sequence[Any] = entry.get("words") or ()
    if not words:
        faults.append(f"{place}: {identity} has no words to be known by")
    return Repair(
        identity,
        str(entry.get("label") or identity),
        bool(entry.get("room", True)),
        tuple(_follow_up(identity, each, place, faults) for each in entry.get("ask") or ()),
        tuple(
            Phrase(
                _plain_phrase(str(phrase)).split()[0].rstrip("*"),
                _phrase(str(phrase)),
                _weight(str(phrase), first=bool(entry.get("first"))),
            )
            for phrase in words
        ),
    )


def _follow_up(identity: str, entry: Mapping[str, Any], place: str, faults: list[str]) -> FollowUp:
    for key in entry.keys() - {"slot", "answer", "becomes", "raises", "only_if"}:
        faults.append(f"{place}: {identity}: a question has {key}, which is not known")
    becomes = {str(answer): str(category) for answer, category in (entry.get("becomes") or {}).items()}
    for category in becomes.values():
        if category not in CATEGORIES:
            faults.append(f"{place}: {identity}: {category} is not one of the known categories")
    if entry.get("answer") not in _ANSWERS or not entry.get("slot"):
        faults.append(f"{place}: {identity}: a question needs a slot, and an answer of {', '.join(sorted(_ANSWERS))}")
    return FollowUp(
        str(entry.get("slot")),
        str(entry.get("answer")),
        becomes,
        frozenset(map(str, entry.get("raises") or ())),
        {str(slot): str(answer) for slot, answer in (entry.get("only_if") or {}).items()},
    )


def _places(path: Path, node: yaml.Node | None) -> dict[tuple[str, str], str]:
    found = {}
    for section, entries in node.value if isinstance(node, yaml.MappingNode) else ():
        for key, _value in entries.value if isinstance(entries, yaml.MappingNode) else ():
            found[section.value, key.value] = f"{path}:{key.start_mark.line + 1}"
    return found


def _plain(text: str) -> str:
    bare = re.sub(r"'s?(?=\W|$)", "", tidy(text).casefold()).replace("'", "")
    return " ".join(re.sub(r"[^\w\s]", " ", bare).split())


def _phrase(words: str) -> re.Pattern[str]:
    """A phrase of the lexicon: its words in order, up to two others between them; `*` stands for any ending."""
    parts = [re.escape(part).replace(r"\*", r"\w*") for part in _plain_phrase(words).split()]
    return re.compile(rf"\b{_GAP.join(parts)}\b")


def _weight(words: str, *, first: bool) -> int:
    if words.endswith("?"):
        return 1
    parts = _plain_phrase(words).split()
    return (10_000 if first else 0) + 100 * len(parts) + sum(len(part) for part in parts)


def _plain_phrase(words: str) -> str:
    return " ".join(words.rstrip("?").replace("'", "").casefold().split())
