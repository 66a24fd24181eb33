"""From the signs in a text to one assessment."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bot.learning import Model, Suspicion
from bot.messages import NO_DANGER, Assessment, Urgency
from bot.triage.data import TriageError, Value
from bot.triage.directory import DirectoryEntry, load_directory
from bot.triage.languages import ENGLISH, Language, Languages, load_languages
from bot.triage.rulebook import SECTIONS, Finding, Rulebook
from bot.triage.signs import LEVELS

_URGENCY: Final = {"danger": Urgency.DANGER, "emergency": Urgency.EMERGENCY, "advice": Urgency.NONE}
_RANK: Final = {Urgency.DANGER: 3, Urgency.EMERGENCY: 2, Urgency.ROUTINE: 1, Urgency.NONE: 0}
_CANNOT_PHONE: Final = "cannot_phone"
"""The entry of `words` in `hazards.yml`."""
_MOST_EVIDENCE: Final = 6
_LENIENCE: Final = 0.15
"""How much less like danger a message in another language may sound to the model: few examples are in any of them."""
_QUOTED: Final = 40


@dataclass(frozen=True, slots=True)
class Hazard:
    """A kind of danger: `interfaces` name it by its id."""

    id: str
    label: str
    sensitive: bool
    order: int
    """Place in `hazards.yml`: of two, the earlier is named."""


class Triage:
    """The compiled rules. Safe to share between threads; the same text always gets the same answer."""

    def __init__(
        self,
        hazards: Mapping[str, Hazard],
        english: Rulebook,
        languages: Languages,
        directory: Mapping[str, DirectoryEntry],
    ) -> None:
        self.hazards = hazards
        self.directory = directory
        self._english = english
        self._languages = languages
        self._model: Model | None = None

    def with_model(self, model: Model) -> "Triage":
        """The same rules, helped by what was learned from examples. The model may raise what the rules find, never lower
        it; and where they are certain that a danger is not here and now, it has to be sure."""
        helped = Triage(self.hazards, self._english, self._languages, self.directory)
        helped._model = model
        return helped

    def concepts(self, text: str) -> Sequence[str]:
        """What in a text the English rules have a word for: the signs that the model is trained with."""
        return self._english.concepts(text)

    def assess(self, text: str, previous: str | None = None) -> Assessment:
        """What a text tells about danger. `previous` is what the same tenant wrote just before, if it was recent: people
        tell one thing in two messages, and answer "yes" when asked whether it is happening now."""
        own = self._assess(text)
        if not previous or own.urgency is Urgency.DANGER:
            return own
        confirms = not own.advice and self._english.confirms(text)
        # In other languages, of which the model has seen few examples, two messages together are read by the rules alone.
        joined = self._assess(f"{previous}\n{text}", by_rules=own.language != ENGLISH)
        if not confirms and _RANK[joined.urgency] <= _RANK[own.urgency]:
            return own
        before = self._assess(previous)
        if confirms and before.advice and before.urgency is Urgency.NONE:
            return self._now_confirmed(before, text)
        return joined if _RANK[joined.urgency] > max(_RANK[own.urgency], _RANK[before.urgency]) else own

    def numbers(self) -> Mapping[str, str]:
        """What `{number_<id>}` stands for in a response. All are national or a council's; `directory` tells which of
        them still have to be checked."""
        return {entry.id: entry.number for entry in self.directory.values()}

    def translations(self) -> Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]:
        """By language, the advice in it as responses in Rasa's shape."""
        return self._languages.responses()

    def cannot_phone(self, text: str) -> bool:
        """Whether someone says that they cannot speak or hear on the phone, or must not be heard."""
        return _CANNOT_PHONE in self._english.concepts(text)

    def language(self, code: str) -> Language | None:
        """A language other than English that we have words of."""
        return self._languages.get(code)

    def advice_in(self, language: str, hazard: str) -> str | None:
        """The short advice on a hazard in another language than English; None where there is none."""
        return self._languages.advice(language, hazard)

    def _assess(self, text: str, *, by_rules: bool = False) -> Assessment:
        findings, denied = self._english.examine(text)
        language, others = self._languages.read(text, english_found=bool(findings))
        findings = [*findings, *others]
        ruled = self._ruled(findings, language)
        if (
            self._model is None
            or by_rules
            or (ruled.urgency is Urgency.DANGER and not any(each.doubtful for each in findings))
        ):
            return ruled  # nothing can raise it
        suspicion = self._model.suspicion(text)
        if suspicion is None:
            return ruled
        kept = [_weighed(each, suspicion) for each in findings]
        if kept != findings:
            ruled = self._ruled(kept, language)
        if ruled.urgency is Urgency.DANGER:
            return ruled
        return self._raised(ruled, suspicion, held=denied or bool(findings))

    def _ruled(self, findings: list[Finding], language: str) -> Assessment:
        """What the rules alone say."""
        if not findings:
            return NO_DANGER if language == "en" else replace(NO_DANGER, language=language)
        findings.sort(key=lambda finding: (-LEVELS.index(finding.level), self.hazards[finding.hazard].order))
        named = findings[0]
        present = [finding for finding in findings if finding.level != "advice"] or findings
        return Assessment(
            urgency=_URGENCY[named.level],
            hazard=named.hazard,
            advice=True,
            evidence=_evidence(present),
            advice_keys=_advice_keys(named.hazard),
            sensitive=any(self.hazards[finding.hazard].sensitive for finding in present),
            language=language,
        )

    def _raised(self, ruled: Assessment, suspicion: Suspicion, *, held: bool) -> Assessment:
        """What the rules say, raised where the model has reason to. `held`: the rules read a hazard that is denied, over,
        told of others or only supposed."""
        if suspicion.hazard not in self.hazards:
            return ruled
        to_life = suspicion.life >= 0
        believed = suspicion.present >= (0.0 if ruled.language == "en" else -_LENIENCE)
        if ruled.urgency is Urgency.EMERGENCY:
            level = Urgency.DANGER if to_life and suspicion.present >= 0 else Urgency.EMERGENCY
        elif suspicion.sure or (believed and not held):
            level = Urgency.DANGER if to_life else Urgency.EMERGENCY
        else:
            level = Urgency.NONE
        if level is ruled.urgency and (ruled.advice or not suspicion.worth_advice):
            return ruled
        hazard = suspicion.hazard
        return replace(
            ruled,
            urgency=level,
            hazard=hazard,
            advice=True,
            evidence=tuple(dict.fromkeys((*ruled.evidence, *suspicion.evidence)))[:_MOST_EVIDENCE],
            advice_keys=_advice_keys(hazard),
            sensitive=ruled.sensitive or self.hazards[hazard].sensitive,
        )

    def _now_confirmed(self, before: Assessment, text: str) -> Assessment:
        level = max(self._english.levels(before.hazard), key=LEVELS.index, default="emergency")
        return replace(before, urgency=_URGENCY[level], evidence=(*before.evidence, text.strip()[:_QUOTED]))


def _weighed(finding: Finding, suspicion: Suspicion) -> Finding:
    """A finding that harmless messages show too is worth advice, and more where the model finds the danger possible."""
    if not finding.doubtful or finding.level == "advice" or suspicion.allows(finding.hazard):
        return finding
    return replace(finding, level="advice")


def _advice_keys(hazard: str) -> tuple[str, ...]:
    return (f"utter_advice_{hazard}", f"utter_advice_{hazard}_more")


def _evidence(findings: list[Finding]) -> tuple[str, ...]:
    ordered = sorted(findings, key=lambda finding: finding.at)
    return tuple(dict.fromkeys(finding.evidence for finding in ordered))[:_MOST_EVIDENCE]


def load_triage(nlu_data: Path) -> Triage:
    """Read `hazards.yml`, `directory.yml`, `lexicons/` and `languages/` of a project folder.

    Raises TriageError, `file:line: reason`, for the first thing that cannot be used.
    """
    collecting = gc.isenabled()
    gc.disable()  # a hundred thousand small objects that stay: looking through them for garbage doubles the time
    try:
        return _load(nlu_data)
    finally:
        if collecting:
            gc.enable()


def _load(nlu_data: Path) -> Triage:
    path = nlu_data / "hazards.yml"
    fields = Value.read(path).fields("hazards", *SECTIONS, required=("hazards", "signs"))
    hazards = _hazards(fields.pop("hazards"))
    english = Rulebook(hazards)
    own = {name for name, _ in fields["words"].entries()} if "words" in fields else set()
    for lexicon in sorted((nlu_data / "lexicons").glob("*.yml")):
        for name, section in Value.read(lexicon).entries():
            if name == "concepts":
                english.add_concepts(section, without=own)
            elif name != "version":
                raise section.fault(f"unknown field {name!r}; known: concepts")
    languages = load_languages(nlu_data / "languages", hazards)
    english.add_rules(fields, languages.ordinary_english, also_wanted=[_CANNOT_PHONE])
    return Triage(hazards, english, languages, load_directory(nlu_data / "directory.yml"))


def _hazards(section: Value) -> dict[str, Hazard]:
    hazards: dict[str, Hazard] = {}
    for name, value in section.entries():
        fields = value.fields("label", "sensitive", required=("label",))
        sensitive = fields["sensitive"].flag() if "sensitive" in fields else False
        hazards[name] = Hazard(name, fields["label"].text(), sensitive, len(hazards))
    if not hazards:
        raise TriageError("hazards.yml:1: no hazard")
    return hazards
