"""`make nlu`: how well messages are understood that nobody trained on.

`tests/nlu/blind.jsonl`, written by someone who saw neither the examples nor the lexicons, is the judge: its texts are never
printed. `tests/nlu/held_out.yml`, every fifth example, and `tests/nlu/dev.yml` are there to improve with.
"""

import argparse
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from bot.bootstrap import DATA, NLU_DATA
from bot.cli.nlu import describe
from bot.learning import Model
from bot.triage import load_triage
from bot.understanding import load_understanding

ROOT = Path(__file__).parent.parent
RAISED = frozenset({"danger", "emergency"})
NEVER_MISSED = frozenset({"gas_leak", "carbon_monoxide", "fire", "self_harm", "domestic_abuse"})

Wanted = Mapping[str, Any]
Found = Mapping[str, Any]
Pair = tuple[Wanted, Found]


@dataclass(frozen=True, slots=True)
class Figure:
    """A share of some messages, beside the share that is asked for."""

    name: str
    asked: str
    good: int
    of: int

    @property
    def share(self) -> float:
        return self.good / self.of if self.of else float("nan")


def blind() -> list[Wanted]:
    lines = (ROOT / "tests/nlu/blind.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def held_out() -> list[Wanted]:
    return list(_labelled("held_out.yml"))


def developed_with() -> list[Wanted]:
    return list(_labelled("dev.yml"))


def _labelled(name: str) -> Iterator[Wanted]:
    tables = yaml.safe_load((ROOT / "tests/nlu" / name).read_text(encoding="utf-8"))
    for entry in tables["nlu"]:
        usual = "routine" if entry["intent"] == "report_repair" else "none"
        for example in entry["examples"]:
            marks = example.get("metadata", {})
            yield {
                "text": example["text"], "intent": entry["intent"], "urgency": marks.get("urgency", usual),
                "hazard": marks.get("hazard", "none"), "group": marks.get("group", name),
                "language": marks.get("language", "en"),
            }  # fmt: skip


def figures(pairs: Sequence[Pair]) -> list[Figure]:
    """The figures that the product is held to."""

    def share(name: str, asked: str, of: Callable[[Wanted], bool], good: Callable[[Wanted, Found], bool]) -> Figure:
        chosen = [(wanted, found) for wanted, found in pairs if of(wanted)]
        return Figure(name, asked, sum(good(wanted, found) for wanted, found in chosen), len(chosen))

    def raised(_wanted: Wanted, found: Found) -> bool:
        return found["urgency"] in RAISED

    def danger(_wanted: Wanted, found: Found) -> bool:
        return bool(found["urgency"] == "danger")

    def foreign(wanted: Wanted) -> bool:
        return bool(wanted["language"] != "en")

    return [
        share("danger seen as danger", "99 %", lambda w: w["urgency"] == "danger" and not foreign(w), danger),
        share("danger or emergency seen", "97 %", lambda w: w["urgency"] in RAISED and not foreign(w), raised),
        share("gas, CO, fire, self-harm, abuse seen", "100 %",
              lambda w: w["urgency"] in RAISED and w["hazard"] in NEVER_MISSED, raised),
        share("false alarms: ordinary messages", "2 % at most",
              lambda w: w["urgency"] not in RAISED and w["group"] != "lookalike" and not foreign(w), raised),
        share("false alarms: look-alikes", "5 % at most",
              lambda w: w["urgency"] not in RAISED and w["group"] == "lookalike", raised),
        share("advice where it is due", "", lambda w: w.get("advice") is True, lambda _w, f: bool(f["advice"])),
        share("danger in other languages", "95 %", lambda w: w["urgency"] in RAISED and foreign(w), raised),
        share("intent right", "92 %", lambda w: not foreign(w), lambda w, f: bool(w["intent"] == f["intent"])),
        share("language right", "", foreign, lambda w, f: bool(w["language"] == f["language"])),
    ]  # fmt: skip


def curve(pairs: Sequence[Pair], model: Model) -> dict[str, float]:
    """The share of dangers seen if the model's thresholds were moved to where so many harmless messages are mistaken."""

    def score(wanted: Wanted, found: Found) -> float:
        suspicion = model.suspicion(wanted["text"])
        if found["urgency"] in RAISED and (suspicion is None or suspicion.present < 0):
            return float("inf")  # by the rules, wherever the thresholds are
        return -float("inf") if suspicion is None else suspicion.present

    scored = [(wanted, score(wanted, found)) for wanted, found in pairs]
    harmless = sorted((each for wanted, each in scored if wanted["urgency"] not in RAISED), reverse=True)
    dangers = [each for wanted, each in scored if wanted["urgency"] in RAISED]
    shares = {}
    for allowed in (0.01, 0.02, 0.03, 0.05, 0.08):
        threshold = harmless[int(allowed * len(harmless))]
        shares[f"{allowed:.0%}"] = sum(each > threshold for each in dangers) / len(dangers)
    return shares


def _median(work: Callable[[str], object], texts: Sequence[str]) -> float:
    """Seconds of processor time: what else the machine does at the moment is left out."""
    spent = []
    for text in texts:
        began = time.thread_time()
        work(text)
        spent.append(time.thread_time() - began)
    return statistics.median(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how well messages are understood.")
    parser.add_argument("--confusions", type=int, default=15, help="how many confusions of intents to print")
    parser.add_argument("--hazards", action="store_true", help="print what the rules see alone, and how many by hazard")
    parser.add_argument("--misses", action="store_true", help="print the texts that were missed, but for the blind set")
    args = parser.parse_args()
    screen = Console()
    classifier, triage = load_understanding(NLU_DATA, DATA)
    rules = load_triage(NLU_DATA)
    model = Model.load_for(NLU_DATA, DATA, rules.concepts)
    for name, messages in (("blind", blind()), ("held out", held_out()), ("dev", developed_with())):
        pairs = [(wanted, describe(wanted["text"], classifier, triage)) for wanted in messages]
        texts = [str(wanted["text"]) for wanted in messages]
        spent = _median(lambda text: (triage.assess(text), classifier.classify(text)), texts)
        floor = _median(lambda text: Counter(re.findall(r"\w+", text.lower())), texts)
        table = Table(
            title=f"{name}: {len(messages)} messages, median {spent * 1000:.2f} ms of processor time to understand one, "
            f"{spent / floor:.0f} times what counting its words takes"
        )
        for heading in ("", "asked for", "found", "of"):
            table.add_column(heading, justify="right" if heading in {"found", "of"} else "left")
        for figure in figures(pairs):
            table.add_row(figure.name, figure.asked, f"{figure.share:.1%} ({figure.good})", str(figure.of))
        screen.print(table)
        if args.hazards:
            alone = [(wanted, describe(wanted["text"], classifier, rules)) for wanted in messages]
            for figure in figures(alone)[:5]:
                screen.print(f"  rules alone: {figure.name} {figure.share:.1%} ({figure.good})")
            told = Counter(w["hazard"] for w, _ in pairs if w["urgency"] in RAISED)
            seen = Counter(w["hazard"] for w, f in pairs if w["urgency"] in RAISED and f["urgency"] in RAISED)
            shares = curve(pairs, model)
            screen.print(
                "  dangers seen at so many false alarms: " + ", ".join(f"{at}: {shares[at]:.1%}" for at in shares)
            )
            screen.print("  seen: " + ", ".join(f"{hazard} {seen[hazard]}/{told[hazard]}" for hazard in sorted(told)))
        confused = Counter((w["intent"], f["intent"]) for w, f in pairs if w["intent"] != f["intent"])
        for (wanted, found), count in confused.most_common(args.confusions):
            screen.print(f"  {count:4}  {wanted} taken for {found}")
        if args.misses and name != "blind":
            for wanted, found in pairs:
                if (wanted["urgency"] in RAISED) != (found["urgency"] in RAISED):
                    screen.print(
                        f"  {wanted['urgency']}/{wanted['hazard']} {found['urgency']}: {wanted['text']}", markup=False
                    )


if __name__ == "__main__":
    main()
