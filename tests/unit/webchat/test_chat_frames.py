import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.web import frames
from bot.channels.web.tokens import RESUMABLE, Signer

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "message", "choice", "ack", "typing", "wave"])},
    optional=dict.fromkeys(("session", "after", "id", "text", "value", "seq"), JSON),
)


@given(st.text() | JSON.map(json.dumps) | FIELDS.map(json.dumps))
def test_any_text_is_a_frame_or_a_bad_frame_and_nothing_else(raw):
    frame, code = None, None
    try:
        frame = frames.parse(raw)
    except frames.BadFrame as bad:
        code = bad.code
    assert code in {None, "bad_json", "bad_frame", "empty", "too_long"}
    if isinstance(frame, frames.Say):
        frame.text.encode()
        assert 0 < len(frame.text) <= frames.LONGEST_TEXT
        assert "\x00" not in frame.text


@given(st.text(alphabet=st.characters(exclude_categories=["C"]), min_size=1, max_size=50).filter(str.strip))
def test_words_arrive_as_they_were_typed(words):
    frame = frames.parse(json.dumps({"type": "message", "id": "a", "text": words}))
    assert frame == frames.Say("a", words.strip())


def test_a_number_too_large_for_the_store_is_refused():
    with pytest.raises(frames.BadFrame):
        frames.parse('{"type":"ack","seq":' + "9" * 5_000 + "}")
    with pytest.raises(frames.BadFrame):
        frames.parse(json.dumps({"type": "ack", "seq": 2**63}))


@given(st.text(alphabet="abcXYZ012_-", min_size=16, max_size=64), st.timedeltas(timedelta(0), RESUMABLE))
def test_a_token_proves_its_session_for_a_day(session_id, age):
    signer = Signer("secret")
    session = signer.read(signer.issue(session_id, NOW), NOW + age)
    assert session is not None
    assert (session.id, session.issued) == (session_id, NOW)


@given(st.integers(0, 200), st.characters(codec="utf-8"))
def test_a_token_with_any_character_changed_proves_nothing(place, other):
    signer = Signer("secret")
    token = signer.issue("a-session-of-24-symbols-", NOW)
    place %= len(token)
    changed = token[:place] + other + token[place + 1 :]
    assert changed == token or signer.read(changed, NOW) is None


@pytest.mark.parametrize("age", [RESUMABLE + timedelta(seconds=1), -timedelta(hours=1), timedelta(days=400)])
def test_a_token_from_long_ago_or_from_the_future_proves_nothing(age):
    signer = Signer("secret")
    assert signer.read(signer.issue("a-session-of-24-symbols-", NOW), NOW + age) is None


def test_without_a_secret_there_are_no_tokens():
    with pytest.raises(ValueError, match="secret"):
        Signer("")
