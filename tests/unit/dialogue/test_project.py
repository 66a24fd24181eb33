"""A project is refused with the file and line of every fault."""

import shutil
from pathlib import Path

import pytest

from bot.dialogue import ProjectError, load_project

PROJECT = Path(__file__).parent / "project"


@pytest.fixture
def copy(tmp_path):
    """The project with some text of one file replaced; gives the faults as `file:line: reason` without the folder."""
    root = tmp_path / "nlu_data"
    shutil.copytree(PROJECT, root)

    def change(file: str, old: str, new: str) -> list[str]:
        path = root / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ProjectError) as caught:
            load_project(root)
        return [fault.removeprefix(f"{root}/") for fault in caught.value.faults]

    return change


def test_the_project_loads(project):
    assert "order" in project.intents
    assert project.fallback == "action_lost"
    assert [example.text for example in project.examples] == [
        "hello there",
        "good morning",
        "a pizza please",
        "I want to order",
    ]


CORE, RESPONSES, RULES = "domain/core.yml", "domain/responses.yml", "rules.yml"
CASES = [
    (CORE, "- greet\n", "- greet:\n    use_entities: true\n", "domain/core.yml:3: intents: only plain names"),
    (CORE, "- greet\n", "- greet\n- greet\n", "domain/core.yml:4: intents: greet is already given at"),
    (CORE, "actions:", "e2e_actions: []\nactions:", "e2e_actions is not supported"),
    (CORE, "actions:", "session_config:\n  session_expiration_time: 60\nactions:", "sessions are not supported"),
    (CORE, "    values: [small, large]\n", "    values: [small, large]\n    auto_fill: true\n", "auto_fill"),
    (CORE, "  size:\n    type: categorical", "  size:\n    type: float", "slot size: type 'float'"),
    (CORE, "      entity: size\n", "      entity: size\n      role: crust\n", "domain/core.yml:35: slot size: mapping: role"),
    (CORE, "      entity: size\n", "      entity: sizes\n", "entity 'sizes' is not in the domain"),
    (CORE, "      intent: affirm\n", "      intent: agree\n", "intent agree is not in the domain"),
    (CORE, "type: from_trigger_intent", "type: from_llm", "mapping type 'from_llm' is not supported"),
    (CORE, "    - topping\n", "    - topping\n    - cheese\n", "form pizza_form: slot cheese is not in the domain"),
    (CORE, "    - boxed\n", "", "slot boxed has a condition on form pizza_form, which does not list it"),
    (CORE, "    ignored_intents: [faq]", "    ignored_intents: [chat]", "intent chat is not in the domain"),
    (CORE, "- action_lost", "- action_lost\n- action_restart", "action_restart is not supported"),
    (CORE, "- action_lost", "- action_lost\n- utter_gone", "utter_gone has no response"),
    (CORE, "- action_lost", "- action_lost\n- validate_gone_form", "validate_gone_form belongs to no form"),
    (CORE, "  topping:\n", "  requested_slot:\n    type: text\n    mappings: []\n  topping:\n", "belongs to the engine"),
    (RESPONSES, "  utter_ask_topping:\n", "  utter_ask_toping:\n", "nothing asks for topping; add a response"),
    (RESPONSES, '"Stopped."', '"Stopped."\n    speed: fast', "response utter_cancelled: speed is not supported"),
    (RESPONSES, '"Stopped."', "5", "domain/responses.yml:31: response utter_cancelled: text is 5"),
    (RESPONSES, "payload: '", "value: '", "response utter_ask_pizza_form_size: button"),
    (RESPONSES, "  utter_lost:", "  utter_faq/hours:", "retrieval intents are not supported"),
    (RULES, "- intent: greet", "- intent: hello", "rules.yml:5: rule 'greeting': intent 'hello' is not in the domain"),
    (RULES, "- action: utter_faq", "- action: utter_gone", "response 'utter_gone' is not in the domain"),
    (RULES, "- action: action_greet", "- action: action_gone", "action 'action_gone' is not in the domain"),
    (RULES, "    - boxed: true", "    - packed: true", "slot packed is not in the domain"),
    (RULES, "    - boxed: true", "    - topping: ham", "slot topping does not influence the conversation"),
    (RULES, "- active_loop: pizza_form", "- active_loop: pie_form", "form 'pie_form' is not in the domain"),
    (RULES, "- intent: greet\n", "- intent: greet\n  - checkpoint: x\n", "rule 'greeting': checkpoint is not supported"),
    (RULES, "- intent: greet\n", "- intent: greet\n    user: hi\n", "rule 'greeting': user is not supported"),
    (RULES, "- rule: greeting\n", "- story: greeting\n", "story is not supported"),
    (RULES, "- rule: greeting\n", "- rule: greeting\n  conversation_start: true\n", "conversation_start"),
    (RULES, "- action: action_greet\n", "- action: action_greet\n  - intent: faq\n", "more than one message of the user"),
    (RULES, "  - action: action_lost\n", "  - action: utter_lost\n", "no rule consists of the fallback action alone"),
    (
        "rules.yml",
        "- rule: lost\n",
        "- rule: rude\n  steps:\n  - intent: greet\n  - action: utter_lost\n- rule: lost\n",
        "rule 'rude' leads to utter_lost where 'greeting'",
    ),
    ("config.yml", "- name: RulePolicy", "- name: TEDPolicy", "policy 'TEDPolicy' is not supported; only RulePolicy is"),
    ("config.yml", "name: action_lost", "name: action_default_fallback", "core_fallback_action_name must name"),
    ("endpoints.yml", "action_endpoint", "tracker_store", "tracker_store is not supported"),
    ("nlu/core.yml", "- intent: greet", "- lookup: greet", "lookup is not supported"),
    ("nlu/core.yml", "- intent: greet", "- intent: hello", "nlu/core.yml:3: intent 'hello' is not in the domain"),
    ("nlu/core.yml", '"hello there"', '"hello [there](size)"', "nlu/core.yml:5: intent greet: marked entities"),
    ("nlu/core.yml", '"hello there"', '"A pizza please"', "is an example of"),
    ("nlu/core.yml", '"hello there"', "12", "text is 12; put it in quotes"),
    ("nlu/core.yml", "nlu:", "nlu: [", "not valid YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "reason"), CASES, ids=[case[3][:60] for case in CASES])
def test_what_the_engine_would_not_honour_is_refused(copy, file, old, new, reason):
    faults = copy(file, old, new)
    assert any(reason in fault and ":" in fault for fault in faults), faults


def test_all_faults_are_reported_at_once_in_order(tmp_path):
    root = tmp_path / "nlu_data"
    shutil.copytree(PROJECT, root)
    (root / "domain" / "core.yml").write_text("intents: [a, a]\nflows: {}\n", encoding="utf-8")
    (root / "config.yml").write_text("policies: []\n", encoding="utf-8")
    (root / "endpoints.yml").unlink()
    with pytest.raises(ProjectError) as caught:
        load_project(root)
    text = str(caught.value)
    assert "core.yml:1: intents: a is already given" in text
    assert "core.yml:2: domain: flows is not supported" in text
    assert "config.yml:1: config.yml needs exactly one policy" in text
    assert "endpoints.yml:1: cannot be read" in text
    assert list(caught.value.faults) == sorted(
        caught.value.faults, key=lambda f: (f.split(":")[0], int(f.split(":")[1]))
    )


def test_a_plain_no_is_a_word(tmp_path):
    root = tmp_path / "nlu_data"
    shutil.copytree(PROJECT, root)
    (root / "nlu" / "more.yml").write_text(
        'nlu:\n- intent: deny\n  examples:\n  - text: no\n  - text: "nope"\n', encoding="utf-8"
    )
    assert "no" in [example.text for example in load_project(root).examples]


def test_or_spells_out_the_alternatives(tmp_path):
    root = tmp_path / "nlu_data"
    shutil.copytree(PROJECT, root)
    rules = (root / "rules.yml").read_text(encoding="utf-8")
    changed = rules.replace("  - intent: greet\n", "  - or:\n    - intent: greet\n    - intent: affirm\n", 1)
    (root / "rules.yml").write_text(changed, encoding="utf-8")
    book = load_project(root).rules
    state = {"prev": "action_listen", "intent": "affirm", "entities": [], "slots": {}, "loop": None}
    assert book.predict([state], None).action == "action_greet"
