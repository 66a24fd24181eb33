"""Training and serving agree, and serving needs no library."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue import Classifier, Example
from bot.dialogue.sources import Place
from bot.learning import Model, ModelError, training
from bot.learning.features import Lexicon, features, load_lexicon, tokens

TEXTS = {
    "order": ["a pizza please", "I want to order", "pizza with ham", "can I order a big one", "order pizza now", "food"],
    "greet": ["hello there", "good morning", "hi", "hiya pal", "hello hello", "good evening"],
    "hours": ["when are you open", "what time do you close", "opening hours please", "are you open now", "closing?", "hours"],
    "out_of_scope": ["who won the football", "is it going to rain", "tell me a joke", "what is love", "buy bitcoin", "sing"],
}  # fmt: skip
EXAMPLES = [Example(text, intent, {}, Place(Path("nlu.yml"), 1)) for intent, texts in TEXTS.items() for text in texts]
LEXICON = Lexicon({"food": ["pizza", "calzone", "margherita"], "time": ["open", "closing time"]})


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "nlu-test.npz"
    training.train_examples(EXAMPLES, LEXICON, path)
    return path


@pytest.fixture(scope="session")
def classifier(model):
    return Classifier.load(model)


@pytest.fixture(scope="session")
def fitted():
    counted = [features(example.text, LEXICON) for example in EXAMPLES]
    vectoriser = training.vectorise(counted)
    return vectoriser, training.fit(vectoriser, counted, np.array([example.intent for example in EXAMPLES]))


UNSEEN = [
    "a calzone please",
    "pizzza",
    "hello, when do you open?",
    "is it hot",
    "order order order",
    "ordering a pizza at 12",
]


@pytest.mark.parametrize("text", [*UNSEEN, *[example.text for example in EXAMPLES]])
def test_serving_gives_the_probabilities_of_the_library(classifier, fitted, model, text):
    temperature = json.loads(model.with_suffix(".json").read_text())["temperature"]
    vectoriser, linear = fitted
    scores = linear.decision_function(vectoriser.transform([features(text, LEXICON)]))[0] / temperature
    expected = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    assert list(linear.classes_) == list(classifier.intents)
    np.testing.assert_allclose(classifier.chances(text), expected, atol=1e-5)


def test_an_intent_comes_with_the_three_best(classifier):
    understanding = classifier.classify("I want to order a pizza")
    assert understanding.intent == "order"
    assert understanding.ranking[0][0] == "order"
    assert len(understanding.ranking) == 3
    assert 0 < understanding.confidence <= 1


def test_a_text_of_unknown_words_is_out_of_scope(classifier):
    understanding = classifier.classify("§§§")
    assert (understanding.intent, len(understanding.ranking)) == ("out_of_scope", 3)


def test_doubt_is_out_of_scope_and_keeps_its_ranking(model):
    description = json.loads(model.with_suffix(".json").read_text())
    with np.load(model) as stored:
        arrays = dict(stored)
    doubtful = Classifier(Model(arrays, description | {"threshold": 0.999}, LEXICON))
    understanding = doubtful.classify("I want to order")
    assert understanding.intent == "out_of_scope"
    assert understanding.ranking[0][0] == "order"


def test_a_plain_yes_needs_no_example(classifier):
    assert classifier.classify("aye").intent == "affirm"
    assert classifier.classify("naw").intent == "deny"


def test_a_model_that_is_missing_or_damaged_names_the_remedy(tmp_path, model):
    with pytest.raises(ModelError, match="doorstep train"):
        Classifier.load(tmp_path / "nlu-gone.npz")
    broken = tmp_path / "nlu-broken.npz"
    broken.write_bytes(model.read_bytes()[:200])
    broken.with_suffix(".json").write_text(model.with_suffix(".json").read_text())
    with pytest.raises(ModelError, match="doorstep train"):
        Classifier.load(broken)


def test_too_few_examples_are_refused(tmp_path):
    with pytest.raises(ModelError, match="two intents"):
        training.train_examples(EXAMPLES[:3], Lexicon({}), tmp_path / "nlu.npz")


def test_the_file_is_named_after_what_it_is_made_from(tmp_path):
    (tmp_path / "nlu").mkdir()
    (tmp_path / "nlu" / "a.yml").write_text("nlu: []\n")
    before = training.model_path(tmp_path, tmp_path)
    assert training.model_path(tmp_path, tmp_path) == before
    (tmp_path / "nlu" / "a.yml").write_text("nlu: [ ]\n")
    assert training.model_path(tmp_path, tmp_path) != before


def test_serving_never_imports_the_training_library(model):
    code = (
        "import sys; from pathlib import Path; from bot.dialogue import Classifier\n"
        f"assert Classifier.load(Path({str(model)!r})).classify('order pizza').intent == 'order'\n"
        "assert 'sklearn' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Won’t STOP!!!", ["wont", "stop"]),
        ("pls ring me tmrw", ["please", "ring", "me", "tomorrow"]),
        ("heeeelp", ["heelp"]),
        ("07700 900123", ["#####", "######"]),
        ("café ok?", ["cafe", "ok", "?"]),
        ("👍", ["👍"]),
    ],
)
def test_spelling_is_evened_out(text, expected):
    assert tokens(text) == expected


@pytest.mark.parametrize("text", ["calzone", "calzones", "calzoen", "calzne", "a CALZONNE"])
def test_a_concept_is_found_inflected_or_misspelt(text):
    assert LEXICON.find(tokens(text)) == ["food"]


def test_a_phrase_is_found_only_whole():
    assert LEXICON.find(tokens("closing the time")) == []
    assert LEXICON.find(tokens("closing times")) == ["time"]


def test_a_short_word_is_not_guessed_at():
    assert LEXICON.find(tokens("opan")) == []


def test_lexicons_are_read_from_a_folder_that_may_be_absent(tmp_path):
    assert not load_lexicon(tmp_path)
    (tmp_path / "lexicons").mkdir()
    (tmp_path / "lexicons" / "a.yml").write_text('concepts:\n  food: ["pie", "scotch pie"]\n')
    (tmp_path / "concepts.yml").write_text("concepts:\n  drink: [tea]\n")
    assert load_lexicon(tmp_path).find(["scotch", "pie", "tea"]) == ["food", "food", "drink"]
    (tmp_path / "lexicons" / "b.yml").write_text("words: []\n")
    with pytest.raises(ModelError, match=r"b\.yml:1"):
        load_lexicon(tmp_path)


@given(st.text(max_size=200))
def test_no_text_breaks_the_classifier(classifier, text):
    understanding = classifier.classify(text)
    assert 0 <= understanding.confidence <= 1
    json.dumps(understanding.entities)
