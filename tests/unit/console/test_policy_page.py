"""`/staff/policy`: managers see every promise, what is unconfirmed in it, contradictions and overdue reviews."""

from datetime import UTC, datetime
from html import escape

import pytest
from unit.console.house import Browser, House

from bot.console.explanations import load_explanations
from bot.console.policy import contents
from bot.sla import load_policy
from bot.sla.commitment import OUTCOMES
from bot.sla.lint import lint


async def test_every_promise_is_shown_with_its_figure_clause_status_and_what_is_unconfirmed(house: House, ama: Browser):
    shown = await ama.get("/staff/policy")

    assert ama.status == 200
    for rule in house.office.policy.commitments.values():
        assert f'id="{rule.id}"' in shown
        for words in (rule.title, rule.figure, rule.clause, rule.unverified or ""):
            assert str(escape(words)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in shown


async def test_every_finding_of_the_lint_is_shown(house: House, ama: Browser):
    shown = await ama.get("/staff/policy")

    found = lint(house.office.policy, house.clock.now().date())
    assert shown.count('<li class="finding ') == len(found) > 0


@pytest.mark.parametrize("name", ["berwickshire", "east_lothian"])
def test_an_overdue_review_is_marked(name: str):
    policy = load_policy(name)
    due = [each.review_due for each in policy.sources.values() if each.review_due]

    late = contents(policy, datetime(2032, 1, 1, tzinfo=UTC).date(), load_explanations().outcome)
    early = contents(policy, datetime(2016, 1, 1, tzinfo=UTC).date(), load_explanations().outcome)

    assert sum(each.overdue for each in late["sources"]) == len(due)
    assert sum(each.overdue for each in early["sources"]) == 0


def test_what_keeps_a_promise_is_always_in_plain_words():
    assert set(load_explanations().outcomes) >= OUTCOMES


async def test_the_policy_is_not_shown_to_somebody_who_is_not_signed_in(house: House):
    answer = await house.guest().get("/staff/policy", allow_redirects=False)

    assert answer.status == 303
