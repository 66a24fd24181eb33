"""The embedded engine keeps Rasa's order of things."""


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
