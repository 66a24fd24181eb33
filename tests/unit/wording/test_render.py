import pytest

from bot.messages import Choice, Say
from bot.wording import Responses, ResponsesError, Wording, WordingError, load_responses

SHAPE = {
    "utter_prefix": [{"text": "{short_name}:"}],
    "utter_choice_first": [{"text": "Reply {digit} for {label}"}],
    "utter_choice_next": [{"text": "{digit} for {label}"}],
}


def wording(standing=None, translations=None, **responses):
    data = {key: value if isinstance(value, list) else [{"text": value}] for key, value in responses.items()}
    return Wording(
        Responses.from_mapping(SHAPE | data),
        standing or {"short_name": "Tenacre", "phone": None},
        translations={name: Responses.from_mapping(words) for name, words in (translations or {}).items()},
    )


def test_a_line_that_names_something_unknown_here_is_left_out_whole():
    words = wording(utter_bye="Goodbye.\nIn an emergency ring {phone}.\nHours: {hours}")

    said = words.render(Say("utter_bye"), channel="web", args={"hours": "9am to 5pm"})

    assert said.text == "Goodbye.\nHours: 9am to 5pm"


def test_a_placeholder_that_nobody_fills_is_an_error():
    with pytest.raises(WordingError, match=r"utter_bye: nothing fills \{adress\}"):
        wording(utter_bye="Bye {adress}").render(Say("utter_bye"), channel="web")


def test_a_key_that_does_not_exist_is_an_error():
    with pytest.raises(WordingError, match="utter_missing"):
        wording().render(Say("utter_missing"), channel="web")


def test_what_is_said_wins_over_what_stands():
    words = wording(utter_who="{short_name}")
    assert words.render(Say("utter_who", {"short_name": "Said"}), channel="web").text == "Said"


def test_standing_arguments_may_be_asked_for_at_the_time_of_speaking():
    hours = iter(["9 to 5", "closed"])
    words = wording(lambda: {"hours": next(hours)}, utter_hours="{hours}")
    assert [words.render(Say("utter_hours"), channel="web").text for _ in range(2)] == ["9 to 5", "closed"]


def test_a_channel_has_its_own_words():
    words = wording(utter_hello=[{"text": "Hello there."}, {"text": "Hi.", "channel": "sms"}])
    assert words.render(Say("utter_hello"), channel="sms").text == "Tenacre: Hi."
    assert words.render(Say("utter_hello"), channel="telegram").text == "Hello there."


def test_choices_are_digits_by_text_and_buttons_elsewhere():
    words = wording(
        utter_check=[{"text": "Is it right?", "buttons": [
            {"title": "Send it", "payload": "send"}, {"title": "Change something", "payload": "change"},
        ]}]
    )  # fmt: skip
    by_text = words.render(Say("utter_check"), channel="sms")
    assert by_text.text == "Tenacre: Is it right?\nReply 1 for Send it\n2 for Change something"
    on_the_web = words.render(Say("utter_check"), channel="web")
    assert on_the_web.text == "Is it right?"
    assert on_the_web.choices == by_text.choices == (Choice("Send it", "send"), Choice("Change something", "change"))


def test_text_messages_stay_in_their_own_alphabet():
    said = wording(utter_hello="We’re here – “always”…").render(Say("utter_hello"), channel="sms")
    assert said.text == 'Tenacre: We\'re here - "always"...'


def test_things_said_together_are_one_message_with_every_choice_at_its_end():
    words = wording(
        utter_one=[{"text": "One.", "buttons": [{"title": "A", "payload": "a"}]}],
        utter_two=[{"text": "Two.", "buttons": [{"title": "A", "payload": "a"}, {"title": "B", "payload": "b"}]}],
    )
    said = words.render_all([Say("utter_one"), Say("utter_two")], channel="sms")
    assert said.text == "Tenacre: One.\nTwo.\nReply 1 for A\n2 for B"


def test_an_argument_may_be_words_itself():
    words = wording(
        utter_room="Room: {room}",
        utter_label_kitchen="the kitchen",
        utter_list="Yours:\n{cases}",
        utter_case="{ref} ok",
    )
    assert words.render(Say("utter_room", {"room": {"say": "utter_label_kitchen"}}), channel="web").text == (
        "Room: the kitchen"
    )
    cases = [{"say": "utter_case", "ref": "R-1"}, {"say": "utter_case", "ref": "R-2"}]
    assert words.render(Say("utter_list", {"cases": cases}), channel="web").text == "Yours:\nR-1 ok\nR-2 ok"


def test_what_a_tenant_wrote_is_never_read_as_a_placeholder():
    words = wording(utter_noted="You said: {said}")
    assert words.render(Say("utter_noted", {"said": "{phone} {x}"}), channel="web").text == "You said: {phone} {x}"


def test_another_language_falls_back_to_english():
    words = wording(utter_hello="Hello.", utter_bye="Bye.", translations={"pl": {"utter_hello": [{"text": "Witaj."}]}})
    assert words.render(Say("utter_hello"), channel="web", language="pl").text == "Witaj."
    assert words.render(Say("utter_bye"), channel="web", language="pl").text == "Bye."


def test_nothing_is_sent_when_every_line_names_something_unknown():
    assert wording(utter_ring="Ring {phone}.").render(Say("utter_ring"), channel="sms").text == ""


def test_bad_files_are_refused_with_the_place_of_every_fault(tmp_path):
    (tmp_path / "a.yml").write_text(
        "responses:\n"
        "  utter_ok:\n  - text: fine\n"
        "  hello:\n  - text: hi\n"
        "  utter_empty: []\n"
        "  utter_twice:\n  - text: a\n  - text: b\n"
        "  utter_image:\n  - text: a\n    image: x\n"
        "  utter_only_sms:\n  - text: a\n    channel: sms\n"
        "  utter_button:\n  - text: a\n    buttons:\n    - title: x\n"
    )
    (tmp_path / "b.yml").write_text("responses:\n  utter_ok:\n  - text: again\n")
    (tmp_path / "c.yml").write_text("responses: [\n")

    with pytest.raises(ResponsesError) as caught:
        load_responses(tmp_path)

    lines = str(caught.value).splitlines()
    assert len(lines) == 8
    for place, reason in (
        ("a.yml:4", "begins with utter_"), ("a.yml:6", "at least one text"), ("a.yml:7", "two texts"),
        ("a.yml:10", "image"), ("a.yml:13", "without a channel"), ("a.yml:16", "title and payload"),
        ("b.yml:2", "already at"), ("c.yml:", "not YAML"),
    ):  # fmt: skip
        assert any(place in line and reason in line for line in lines), (place, reason, lines)
