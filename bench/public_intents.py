"""How well our classifier alone tells intents apart on two public sets, for comparison with published figures.

    python -m bench.public_intents --banking77 FOLDER --clinc150 FILE

BANKING77 (PolyAI, CC-BY-4.0): the folder with train.csv and test.csv. CLINC150 (Larson and others 2019, CC-BY-3.0):
data_full.json. Neither is part of Doorstep. Our concepts and signs are about homes, so that words and letters do the work.
"""

import argparse
import csv
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from bot.learning import Model
from bot.learning.features import Lexicon
from bot.learning.training import train_examples

_SEEDS = (13, 14, 15)
_KEPT = 0.95
"""Of what is in scope, the share that the threshold lets through where out-of-scope recall is measured."""


class Message(NamedTuple):
    """As training wants it."""

    text: str
    intent: str
    metadata: Mapping[str, Any]


def banking77(folder: Path) -> dict[str, list[Message]]:
    def read(name: str) -> list[Message]:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            return [Message(row["text"], row["category"], {}) for row in csv.DictReader(file)]

    return {"train": read("train.csv"), "test": read("test.csv"), "val": [], "outside": []}


def clinc150(file: Path) -> dict[str, list[Message]]:
    tables = json.loads(file.read_text(encoding="utf-8"))

    def read(name: str) -> list[Message]:
        return [Message(text, intent, {}) for text, intent in tables[name]]

    return {"train": read("train"), "test": read("test"), "val": read("val"), "outside": read("oos_test")}


def drawn(messages: Sequence[Message], shots: int, seed: int) -> list[Message]:
    """So many of each intent, or all where `shots` is 0."""
    if not shots:
        return list(messages)
    order = np.random.default_rng(seed).permutation(len(messages))
    taken: dict[str, list[Message]] = {}
    for index in order.tolist():
        of = taken.setdefault(messages[index].intent, [])
        if len(of) < shots:
            of.append(messages[index])
    return [message for of in taken.values() for message in of]


def confidences(model: Model, messages: Sequence[Message]) -> Iterator[tuple[str, float]]:
    for message in messages:
        chances = model.chances(message.text)
        yield ("", 0.0) if chances is None else (model.intents[int(chances.argmax())], float(chances.max()))


def measure(name: str, sets: Mapping[str, Sequence[Message]], shots: int, seed: int) -> dict[str, float]:
    chosen = drawn(sets["train"], shots, seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        began = time.process_time()
        train_examples(chosen, Lexicon({}), path)
        trained = time.process_time() - began
        model = Model.load(path)
    spent, right = [], 0
    for message in sets["test"]:
        began = time.thread_time()
        chances = model.chances(message.text)
        spent.append(time.thread_time() - began)
        right += chances is not None and model.intents[int(chances.argmax())] == message.intent
    found = {"accuracy": right / len(sets["test"]), "ms": statistics.median(spent) * 1000, "seconds": trained}
    if sets["outside"]:
        inside = [confidence for _, confidence in confidences(model, sets["val"])]
        threshold = float(np.quantile(inside, 1 - _KEPT))
        outside = [confidence < threshold for _, confidence in confidences(model, sets["outside"])]
        found["outside"] = sum(outside) / len(outside)
    shown = "all" if not shots else f"{shots:3}"
    print(
        f"{name} {shown} of each, seed {seed}: " + ", ".join(f"{key} {value:.3f}" for key, value in found.items()),
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure our classifier on public sets of intents.")
    parser.add_argument("--banking77", type=Path, help="folder with train.csv and test.csv")
    parser.add_argument("--clinc150", type=Path, help="data_full.json")
    parser.add_argument("--shots", type=int, nargs="*", default=[10, 30, 0], help="examples of each intent; 0 is all")
    args = parser.parse_args()
    given = [("BANKING77", banking77, args.banking77), ("CLINC150", clinc150, args.clinc150)]
    for name, read, path in given:
        if path is None:
            continue
        sets = read(path)
        for shots in args.shots:
            runs = [measure(name, sets, shots, seed) for seed in (_SEEDS if shots else _SEEDS[:1])]
            print(f"{name} {shots or 'all'}: mean accuracy {statistics.mean(run['accuracy'] for run in runs):.1%}")


if __name__ == "__main__":
    main()
