from pathlib import Path

import pytest

from bot.wording import Responses, lint_words, load_responses
from bot.wording.lint import reading_grade

DOMAIN = Path(__file__).parents[3] / "nlu_data" / "domain"


def faults(text, key="utter_x", **more):
    return [fault.reason for fault in lint_words(Responses.from_mapping({key: [{"text": text, **more}]}))]


def test_every_response_of_the_product_reads_well():
    assert [str(fault) for fault in lint_words(load_responses(DOMAIN))] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ask the workman when he comes.", '"he"'),
        ("Your UPRN is needed.", '"UPRN"'),
        ("Reply CANCEL to call it off.", "CANCEL"),
        ("Great \N{GRINNING FACE}", "emoji"),
        ("PLEASE READ THIS NOTICE", "shouts"),
        ("   ", "says nothing"),
        (" ".join(["word"] * 26) + ".", "26 words"),
        ("Subsequently the organisation will investigate alternative accommodation possibilities immediately. "
         "Documentation regarding eligibility determination accompanies notification.", "grade"),
        ("Zażółć", "cost double"),
        ("So. " * 200, "parts"),
    ],
)  # fmt: skip
def test_words_that_a_tenant_should_not_be_sent_are_found(text, reason):
    assert any(reason in found for found in faults(text)), faults(text)


def test_plain_words_pass():
    assert faults("Someone will come by {due}. To move the visit, ring {phone}.") == []


def test_a_placeholder_that_nobody_fills_is_found():
    assert faults("Hi {nam}, ring {number_gas} or {phone}") == ["nothing fills {nam}"]


def test_names_numbers_and_links_do_not_make_a_text_harder():
    plain = "We will come to your home on the day we said. Please be in. Keep the hall clear for us."
    assert (
        reading_grade(plain + " {association} 0800 111 999 https://example.org/accommodation")
        <= reading_grade(plain) + 0.5
    )
