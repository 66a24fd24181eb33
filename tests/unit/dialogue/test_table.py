"""What serves is what was trained: the table finds by look-up what the features say by name."""

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.learning import training
from bot.learning.danger import odds, presence
from bot.learning.features import WEIGHTS, Lexicon, features
from bot.learning.table import Table

LEXICON = Lexicon(
    {"tap": ["tap", "mixer tap"], "drip": ["drip", "dripping", "drip drip"], "money": ["rent", "arrears"]}
)
TEXTS = {
    "repair": ["the tap drips", "mixer tap is dripping again", "drip drip goes the tap", "door wont close at all"],
    "money": ["how much rent do I owe", "am I in arrears with the rent", "rent balance please", "what is my rent"],
    "hello": ["hello", "hi there", "good morning", "hello hello"],
}
WORDS = sorted({word for texts in TEXTS.values() for text in texts for word in text.split()})
MESSAGES = st.lists(
    st.sampled_from([*WORDS, "tapp", "taps", "drippin", "leeeak", "rent's", "42", "…", "été"]), max_size=14
)


def signs(text: str) -> list[str]:
    return sorted({f"sign_{word}" for word in text.split() if word in {"tap", "rent", "the", "is"}})


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "nlu.npz"
    examples = [
        SimpleNamespace(text=text, intent=intent, metadata={}) for intent, texts in TEXTS.items() for text in texts
    ]
    training.train_examples(examples, LEXICON, path, signs)
    with np.load(path) as file:
        return {name: file[name] for name in file.files}, json.loads(path.with_suffix(".json").read_text())


def by_name(text: str, arrays) -> np.ndarray:
    """The scores, computed feature by feature as scikit-learn's vectoriser does."""
    names = bytes(arrays["names"]).decode().split("\n")
    scores = arrays["bias"].astype(float)
    start = 0
    for block, weight, size in zip(
        features(text, LEXICON, signs(text)), WEIGHTS.values(), arrays["sizes"].tolist(), strict=True
    ):
        rows = {name: start + at for at, name in enumerate(names[start : start + size])}
        start += size
        values = {
            rows[name]: (1 + np.log(count)) * arrays["idf"][rows[name]]
            for name, count in Counter(block).items()
            if name in rows
        }
        length = np.sqrt(sum(value**2 for value in values.values()))
        for row, value in values.items():
            scores += weight * value / length * arrays["weights"][row]
    return scores


@given(MESSAGES)
@settings(max_examples=150, deadline=None)
def test_the_table_gives_the_scores_that_the_named_features_have(stored, words) -> None:
    text = " ".join(words)
    arrays, _ = stored
    weighed = Table(arrays, LEXICON).weigh(text, signs(text))
    if weighed is None:
        np.testing.assert_allclose(by_name(text, arrays), arrays["bias"])
    else:
        np.testing.assert_allclose(weighed.scores, by_name(text, arrays), atol=1e-5)


@given(st.lists(st.floats(-8, 8), min_size=2, max_size=50), st.data())
def test_the_odds_of_one_message_are_those_of_a_row_of_many(scores, data) -> None:
    hazards = data.draw(st.integers(1, len(scores) - 1))
    assert odds(scores, hazards) == pytest.approx(float(presence(np.array(scores), hazards)), abs=1e-9)
