"""The embedded engine keeps Rasa's order of things."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa_sdk import Action
from rasa_sdk.events import SlotSet

from bot.dialogue import EmbeddedEngine, EngineError, ProjectError
from bot.messages import Choice, OpenCase
from tests.unit.dialogue.conftest import ACTIONS, Keywords, Talk


def test_a_rule_answers_and_listens(talk):
    assert talk.say("greet") == ["utter_greet"]
    assert talk.form is None
    assert talk.slots["greeted"] is True


def test_a_form_asks_fills_and_ends_with_its_rule(talk):
    assert talk.say("order") == ["utter_ask_topping"]
    assert talk.slots["occasion"] == "hunger"
    assert talk.say("Ham") == ["utter_ask_pizza_form_size"]
    assert talk.last.steps[0].args == {"topping": "ham"}
    assert talk.say("inform size=large") == ["utter_ask_boxed"]
    assert talk.say("affirm") == ["utter_boxed", "OpenCase"]
    assert talk.form is None
    assert talk.slots["requested_slot"] is None


def test_a_false_answer_is_an_answer(talk):
    for text in ("order", "ham", "inform size=small"):
        talk.say(text)
    assert talk.say("deny") == ["utter_bare", "OpenCase"]


def test_a_command_arrives_typed_with_facts_from_metadata(talk):
    for text in ("order", "ham", "inform size=small", "deny"):
        talk.say(text)
    assert talk.last.steps[-1] == OpenCase("enquiry", "general", "ham", "True")


def test_a_refused_answer_says_why_and_asks_again(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("inform size=huge") == ["utter_bad_size", "utter_ask_pizza_form_size"]
    assert talk.last.steps[0].args == {"wrong": "huge"}
    assert talk.slots["size"] is None


def test_an_answer_given_before_the_form_is_not_asked_for(talk):
    assert talk.say("order size=small") == ["utter_ask_topping"]
    assert talk.say("ham") == ["utter_ask_boxed"]


def test_a_bad_answer_given_before_the_form_is_refused_on_entry(talk):
    assert talk.say("order size=huge") == ["utter_bad_size", "utter_ask_topping"]
    assert talk.slots["size"] is None


def test_a_question_inside_a_form_is_answered_and_the_form_asks_again(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("faq") == ["utter_faq", "utter_ask_pizza_form_size"]
    assert talk.slots["topping"] == "ham"


def test_an_ignored_intent_does_not_fill_a_text_slot(talk):
    talk.say("order")
    assert talk.say("faq") == ["utter_faq", "utter_ask_topping"]
    assert talk.slots["topping"] is None


def test_what_no_rule_covers_inside_a_form_gets_the_fallback_and_the_question_again(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("greetings") == ["utter_lost", "utter_ask_pizza_form_size"]
    assert talk.form == "pizza_form"


def test_the_trigger_of_a_form_inside_it_gets_the_fallback(talk):
    talk.say("reserve")
    assert talk.say("reserve") == ["utter_lost", "utter_ask_from_street"]


def test_a_slot_filled_by_the_trigger_is_filled_again_by_it_inside_the_form(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("order") == ["utter_ask_pizza_form_size"]
    assert talk.slots["occasion"] == "hunger"


def test_what_no_rule_covers_gets_the_fallback(talk):
    assert talk.say("inform") == ["utter_lost"]
    assert talk.say("greet") == ["utter_greet"]


def test_a_rule_of_a_form_can_leave_it(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("cancel") == ["utter_cancelled"]
    assert talk.form is None
    assert talk.say("cancel") == ["utter_lost"]


def test_a_rule_of_a_form_can_lead_into_another(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("switch") == ["utter_ask_from_street"]
    assert talk.form == "move_form"


def test_a_rule_that_leads_back_into_a_form_does_not_read_the_message_as_an_answer(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("think") == ["utter_sure"]
    assert talk.form == "pizza_form"
    assert talk.say("affirm") == ["utter_ask_pizza_form_size"]
    assert talk.say("inform size=large") == ["utter_ask_boxed"]


def test_an_answer_is_taken_even_while_a_rule_waits_inside_a_form(talk):
    talk.say("order")
    talk.say("ham")
    talk.say("think")
    assert talk.say("inform size=large") == ["utter_lost", "utter_ask_boxed"]
    assert talk.slots["size"] == "large"


def test_a_validator_can_end_a_form_early(talk):
    talk.say("order")
    assert talk.say("stop it") == ["utter_lost"]
    assert talk.form is None


def test_required_slots_that_an_action_takes_away_are_not_asked_for(talk):
    talk.say("reserve")
    assert talk.say("inform street=nowhere") == ["utter_done"]
    assert talk.last.steps[0].args == {"from_street": "nowhere", "to_street": None}


def test_an_entity_that_fits_two_questions_answers_the_one_asked(talk):
    talk.say("reserve")
    assert talk.say("inform street=High") == ["utter_ask_to"]
    assert talk.slots["to_street"] is None
    assert talk.say("inform street=Low") == ["utter_done"]
    assert (talk.slots["from_street"], talk.slots["to_street"]) == ("High", "Low")


def test_an_asking_action_can_offer_choices(talk):
    talk.say("reserve")
    talk.say("inform street=High")
    (asked,) = talk.last.steps
    assert asked.choices == (Choice("Home", "home"),)
    assert asked.args == {"hint": "High"}


def test_a_list_slot_takes_every_value_and_a_text_slot_the_last(talk):
    talk.say("inform number=1 number=2 size=small size=large")
    assert talk.slots["numbers"] == ["1", "2"]
    assert talk.slots["size"] == "large"


def test_a_pressed_choice_is_its_payload(talk):
    talk.say("order")
    talk.say("ham")
    assert talk.say("Large", choice='/inform{"size": "large"}') == ["utter_ask_boxed"]
    assert talk.say("Yes", choice="/affirm") == ["utter_boxed", "OpenCase"]


def test_a_pressed_plain_choice_is_the_answer(talk):
    talk.say("order")
    talk.say("Cheese and ham", choice="cheese")
    assert talk.slots["topping"] == "cheese"


@pytest.mark.parametrize("typed", ['/inform{"size": "large"}', "/affirm", "/greet", "/restart", '/order{"size":1}'])
def test_a_payload_that_a_tenant_types_is_only_text(talk, typed):
    talk.say("order")
    talk.say("ham")
    assert talk.say(typed) == ["utter_lost", "utter_ask_pizza_form_size"]
    assert talk.slots["size"] is None


@pytest.mark.parametrize("stale", ["/gone", '/inform{"size": ', "/inform[1]", "/inform{}x"])
def test_a_choice_that_no_longer_exists_is_read_as_its_text(talk, stale):
    assert talk.say("greet", choice=stale) == ["utter_greet"]


def test_a_forced_intent_stands_above_the_classifier(talk):
    talk.say("greet", intent="emergency")
    assert talk.last.understanding.intent == "emergency"
    assert talk.last.understanding.confidence == 1.0


def test_a_forced_intent_nobody_declared_is_an_error(talk):
    with pytest.raises(EngineError, match="'panic'"):
        talk.say("greet", intent="panic")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("loop", "more than 10 actions"),
        ("greet crash", "action_greet failed: KeyError"),
        ("greet literal", "not a response key"),
        ("greet command", "open_case"),
        ("greet event", "followup"),
        ("greet set", "not JSON"),
    ],
)
def test_a_fault_of_the_flows_leaves_the_state_as_it_was(talk, text, reason):
    talk.say("order")
    talk.say("ham")
    talk.say("cancel")
    before = json.dumps(talk.state)
    with pytest.raises(EngineError, match=reason):
        talk.say(text)
    assert json.dumps(talk.state) == before


class Waits(Action):
    """What a flow may not do."""

    def name(self):
        return "action_lost"

    async def run(self, dispatcher, tracker, domain):
        import asyncio

        await asyncio.sleep(0)
        return []


def test_an_action_that_waits_is_an_error(project):
    engine = EmbeddedEngine(project, Keywords(), [*ACTIONS[:-1], Waits()])
    with pytest.raises(EngineError, match="action_lost waits"):
        Talk(engine).say("inform")


async def test_a_turn_runs_inside_an_event_loop_without_awaiting(talk):
    assert talk.say("greet") == ["utter_greet"]


class Careless(type(ACTIONS[0])):
    """A form whose author forgot one answer."""

    validate_topping = None


def test_a_required_slot_without_its_validator_is_refused(project):
    with pytest.raises(ProjectError, match=r"core\.yml:\d+: Careless has no method validate_topping"):
        EmbeddedEngine(project, Keywords(), [Careless(), *ACTIONS[1:]])


def test_an_action_nobody_wrote_is_refused(project):
    with pytest.raises(ProjectError, match=r"core\.yml:\d+: no action named action_lost exists"):
        EmbeddedEngine(project, Keywords(), ACTIONS[:-1])


def test_a_state_of_an_older_project_is_read_without_what_has_gone(engine, talk):
    talk.say("order")
    old = json.loads(json.dumps(talk.state))
    old["slots"]["gone"] = "x"
    old["loop"]["name"] = "gone_form"
    turn = engine.turn(old, "greet", choice=None, intent=None, facts={}, sender="s1")
    assert turn.state["loop"] is None
    assert "gone" not in turn.state["slots"]


def test_the_state_stays_small_however_long_the_talk(talk):
    talk.say("order")
    for _ in range(100):
        talk.say("faq")
    assert len(talk.state["events"]) <= 40
    assert len(json.dumps(talk.state)) < 20_000


def test_the_state_survives_being_stored_as_json(engine):
    kept, stored = Talk(engine), Talk(engine)
    for text in ("order", "faq", "ham", "greetings", "inform size=huge", "inform size=small", "affirm", "reserve"):
        assert kept.say(text) == stored.say(text)
        stored.state = json.loads(json.dumps(stored.state))
    assert kept.state == stored.state


WORDS = ["greet", "affirm", "deny", "order", "reserve", "inform", "faq", "cancel", "switch", "think"]
VALUES = ["", " size=small", " size=huge", " street=High", " number=1 number=2"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(str.__add__, st.sampled_from(WORDS), st.sampled_from(VALUES)),
            st.text(max_size=40).filter(lambda text: not text.strip().startswith(("loop", "greet"))),
        ),
        max_size=12,
    )
)
def test_no_talk_breaks_the_engine_or_changes_the_state_handed_in(engine, texts):
    state = None
    for text in texts:
        before = json.dumps(state)
        turn = engine.turn(state, text, choice=None, intent=None, facts={"channel": "sms"}, sender="s1")
        assert json.dumps(state) == before
        assert turn.state == json.loads(json.dumps(turn.state))
        form = turn.state["loop"]
        asked = turn.state["slots"]["requested_slot"]
        assert form is None or asked in engine._domain.forms[form["name"]].required_slots
        state = turn.state


class Counting(Action):
    """Rasa gives an asking action the question before, not its own."""

    def name(self):
        return "action_ask_to_street"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(response="utter_ask_to", before=tracker.get_slot("requested_slot"))
        return [SlotSet("greeted", True)]


def test_an_asking_action_sees_the_question_before_its_own(project):
    actions = [Counting() if action.name() == "action_ask_to_street" else action for action in ACTIONS]
    talk = Talk(EmbeddedEngine(project, Keywords(), actions))
    talk.say("reserve")
    talk.say("inform street=High")
    assert talk.last.steps[0].args == {"before": "from_street"}
    assert talk.slots["requested_slot"] == "to_street"
    assert talk.slots["greeted"] is True
