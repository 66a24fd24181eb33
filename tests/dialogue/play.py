"""Plays a transcript: a YAML file of turns, each with what the tenant says and what the bot answers and does.

about: one line that says what is shown
facts: what is known at the start (merged over a weekday morning on the web with nothing known)
turns:
- tenant: "the kitchen tap drips"     what they write
  intent: report_repair               what the classifier is taken to have understood (out_of_scope if not given)
  sure: 0.9                           how sure of it; 1.0 if not given
  choice: send                        a value we offered, pressed instead of written
  hazard: {hazard: gas_leak}          triage found a present danger in this message, and its case is open
  facts: {open: false}                what is known from here on
  bot: [utter_ask_address]            response keys, in order; `key: {arg: value}` to see what it is given
  commands: [{command: open_case}]    commands, in order, each with at least these fields
  slots: {room: Kitchen}              slots afterwards
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.dialogue import EmbeddedEngine
from bot.messages import OpenCase, RememberContact, Say, Turn, Understanding, command_payload

REFERENCE = "R-4K7M-2QX"

_REPAIRS = {
    "no_heating": {"priority": "urgent", "qualifying_days": 1},
    "only_toilet": {"priority": "emergency", "qualifying_days": 1},
    "no_power": {"priority": "emergency", "qualifying_days": 1},
    "insecure_door_window": {"priority": "urgent", "qualifying_days": 1},
    "leak": {"priority": "urgent", "qualifying_days": 1},
    "roof_leak": {"priority": "urgent", "qualifying_days": 1},
    "extractor_fan": {"priority": "routine", "qualifying_days": 7},
}


class Told:
    """A classifier that has been told the answer."""

    def __init__(self) -> None:
        self.intent, self.sure = "out_of_scope", 1.0

    def classify(self, text: str) -> Understanding:
        return Understanding(self.intent, self.sure, ((self.intent, self.sure),))

    def entities(self, text: str) -> Mapping[str, Any]:
        return {}


@dataclass
class Conversation:
    """One conversation, with the desk's share of it: what is remembered and opened comes back as facts."""

    engine: EmbeddedEngine
    told: Told
    facts: dict[str, Any]
    state: Mapping[str, Any] | None = None

    def hear(self, turn: Mapping[str, Any]) -> Turn:
        self.facts |= turn.get("facts") or {}
        if "hazard" in turn:
            self.facts["hazard"] = {"urgency": "danger", "case": REFERENCE, **turn["hazard"]}
        self.told.intent, self.told.sure = turn.get("intent", "out_of_scope"), float(turn.get("sure", 1.0))
        heard = self.engine.turn(
            self.state, turn.get("tenant", ""), choice=turn.get("choice"),
            intent="emergency" if "hazard" in turn else None, facts=self.facts, sender="someone",
        )  # fmt: skip
        self.state = heard.state
        for step in heard.steps:
            self._carry_out(step)
        return heard

    def _carry_out(self, step: object) -> None:
        if isinstance(step, RememberContact):
            told = {"name": step.name, "address": step.address, "postcode": step.postcode, "phone": step.phone}
            self.facts["contact"] |= {field: value for field, value in told.items() if value is not None}
        elif isinstance(step, OpenCase):
            opened = {
                "reference": REFERENCE, "kind": step.kind, "category": step.category, "summary": step.summary,
                "opened": self.facts["now"], "due": "2026-12-03T17:00:00+00:00", "team": "the repairs team",
            }  # fmt: skip
            self.facts |= {"last_case": REFERENCE, "cases": [opened, *self.facts["cases"]]}


def begin(engine: EmbeddedEngine, told: Told, facts: Mapping[str, Any] | None) -> Conversation:
    """A conversation on a Monday morning."""
    known = {
        "now": "2026-11-23T10:00:00+00:00", "open": True, "next_opening": None, "channel": "web", "first": True,
        "contact": {"name": None, "address": None, "postcode": None, "phone": None}, "cases": [], "last_case": None,
        "hazard": None, "offered": [], "repairs": _REPAIRS,
    }  # fmt: skip
    given = dict(facts or {})
    known["contact"] = {**known["contact"], **given.pop("contact", {})}  # type: ignore[dict-item]
    return Conversation(engine, told, {**known, **given})


def load(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The transcripts of a file, named by what they are about."""
    found = [(str(each["about"]), each) for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    for about, transcript in found:
        for turn in transcript["turns"]:
            # YAML reads a bare yes or 0770 as something else than words.
            assert isinstance(turn.get("tenant", ""), str), f"{path.name}: {about}: put {turn['tenant']!r} in quotes"
    return found


def faults(turn: Mapping[str, Any], heard: Turn) -> list[str]:
    """What is not as the transcript has it."""
    said = [step for step in heard.steps if isinstance(step, Say)]
    done = [command_payload(step) for step in heard.steps if not isinstance(step, Say)]
    found = []
    wanted = [(each, {}) if isinstance(each, str) else next(iter(each.items())) for each in turn.get("bot", ())]
    if [say.key for say in said] != [key for key, _args in wanted]:
        found.append(f"says {[say.key for say in said]}, not {[key for key, _args in wanted]}")
    else:
        for say, (key, args) in zip(said, wanted, strict=True):
            found += [
                f"{key} is given {name}={say.args.get(name)!r}, not {value!r}"
                for name, value in args.items()
                if say.args.get(name) != value
            ]
    commands = turn.get("commands", ())
    if [each["command"] for each in done] != [each["command"] for each in commands]:
        found.append(f"does {done}, not {commands}")
    else:
        for each, command in zip(done, commands, strict=True):
            found += [
                f"{command['command']} has {name}={each.get(name)!r}, not {value!r}"
                for name, value in command.items()
                if not _within(value, each.get(name))
            ]
    slots = heard.state["slots"]
    found += [
        f"slot {name} is {slots.get(name)!r}, not {value!r}"
        for name, value in (turn.get("slots") or {}).items()
        if slots.get(name) != value
    ]
    return found


def _within(wanted: Any, have: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(have, Mapping) and all(_within(value, have.get(name)) for name, value in wanted.items())
    return bool(wanted == have)
