"""How long it takes to understand a message, and to get ready for the first: `python -m bench.reading`.

Processor time of one thread, so that what else the machine does is left out as far as it can be; a busy machine is still
slower. Every message was read once before it is measured, as most words of a message were met before by whoever serves; no
message is measured while what was made of it is remembered.
"""

import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.understanding import developed_with, held_out
from bot.bootstrap import DATA, NLU_DATA
from bot.understanding import load_understanding


def spent(work: Callable[[Any], object], given: Sequence[Any]) -> list[float]:
    """Milliseconds for each, the shortest first."""
    found = []
    for each in given:
        began = time.thread_time()
        work(each)
        found.append((time.thread_time() - began) * 1000)
    return sorted(found)


def count_words(text: str) -> Counter[str]:
    """The least that reading a message can mean."""
    return Counter(re.findall(r"\w+", text.lower()))


def main() -> None:
    began = time.process_time()
    classifier, triage = load_understanding(NLU_DATA, DATA)
    loaded = time.process_time() - began
    messages = [str(wanted["text"]) for wanted in (*developed_with(), *held_out())]
    pairs = list(zip(messages, reversed(messages), strict=True))
    for _ in range(2):
        found = {
            "a message: danger, intent, entities": spent(
                lambda x: (triage.assess(x), classifier.classify(x)), messages
            ),
            "the same, read with the message before": spent(
                lambda pair: (triage.assess(*pair), classifier.classify(pair[0])), pairs
            ),
            "its words, counted": spent(count_words, messages),
        }
    floor = statistics.median(found["its words, counted"])
    table = Table(title=f"{len(messages)} messages; rules, words and model loaded in {loaded:.2f} s of processor time")
    table.add_column("")
    for heading in ("median ms", "mean ms", "95 % within", "median / floor"):
        table.add_column(heading, justify="right")
    for name, times in found.items():
        median, within = statistics.median(times), times[len(times) * 95 // 100]
        row = [f"{figure:.3f}" for figure in (median, statistics.mean(times), within)]
        table.add_row(name, *row, f"{median / floor:.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
