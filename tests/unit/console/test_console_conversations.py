"""Reading and answering conversations: who owns one, what is refused and why, and what tenants' words may not do."""

import asyncio
from datetime import timedelta

import pytest
from unit.console.house import Browser, Event, House, Task

from bot.desk import staff as accounts
from bot.messages import DeliveryState
from bot.store import outbox
from bot.store.tables import InboundState, Owner


@pytest.fixture
async def ben(house: House) -> Browser:
    """A second officer, at a browser of his own."""
    return await house.sign_in("Ben Okoro", house.guest())


@pytest.fixture
async def talk(house: House, ama: Browser) -> str:
    """A conversation with a case; returns its id."""
    return (await house.tenant_says("my tap is dripping")).conversation_id


def page(talk: str, verb: str = "") -> str:
    return f"/staff/conversations/{talk}" + (f"/{verb}" if verb else "")


async def take_over(browser: Browser, talk: str) -> None:
    await browser.get(page(talk))
    await browser.post(page(talk, "take-over"), holder=browser.field("holder"))


async def test_a_conversation_is_listed_with_its_newest_words_and_who_answers(house: House, ama: Browser, talk: str):
    shown = await ama.get("/staff")

    assert "+447700900123" in shown
    assert 'holder-bot">Bot' in shown


async def test_the_conversation_shows_what_was_understood_and_the_case_with_its_clocks(
    house: House, ama: Browser, talk: str
):
    shown = await ama.get(page(talk))

    assert "The bot is answering." in shown
    assert "Understood: Report repair, 93% sure" in shown
    assert "Dripping tap" in shown
    for clock in house.office.policy.opening_clocks(
        kind="repair", category="dripping_tap", channel_class="text", received=house.clock.now()
    ):
        assert house.office.policy.commitments[clock.commitment].title in shown
        assert house.office.due_in_words(clock, house.clock.now()) in shown
        assert clock.clause.split(";")[0] in shown
    assert "Waiting to be sent" in shown


async def test_taking_over_silences_the_bot_and_tells_the_tenant_who_is_there(house: House, ama: Browser, talk: str):
    house.nudged.clear()
    await take_over(ama, talk)

    assert "You are answering." in ama.page
    assert house.nudged == [talk]
    assert (await house.conversation(talk)).owner == Owner.STAFF
    before = await house.transcript(talk)
    assert "Ama Mensah" in before[-1].text
    assert "Repairs officer" in before[-1].text
    await house.tenant_says("hello?")
    after = await house.transcript(talk)
    assert [each.direction for each in after[len(before) :]] == ["in"]


async def test_a_reply_is_signed_with_name_role_and_team(house: House, ama: Browser, talk: str):
    await take_over(ama, talk)

    await ama.post(page(talk, "reply"), text="A plumber comes on Tuesday.", form=ama.field("form"))

    last = (await house.transcript(talk))[-1]
    assert (last.author, last.author_name, last.state) == ("staff", "Ama Mensah", "queued")
    assert "A plumber comes on Tuesday." in last.text
    assert all(words in last.text for words in ("Ama Mensah", "Repairs officer", "Repairs"))
    assert ama.path == page(talk)


async def test_replying_without_holding_the_conversation_is_refused_and_the_draft_stays(
    house: House, ama: Browser, talk: str
):
    await ama.get(page(talk))
    before = await house.transcript(talk)

    await ama.post(page(talk, "reply"), text="I have not taken over")

    assert ama.status == 409
    assert ama.said() == "The bot is answering this conversation. Take it over first: then only you answer."
    assert "I have not taken over</textarea>" in ama.page
    assert len(await house.transcript(talk)) == len(before)


async def test_a_second_member_of_staff_cannot_reply_into_a_held_conversation(
    house: House, ama: Browser, ben: Browser, talk: str
):
    await take_over(ama, talk)
    await ben.get(page(talk))
    assert "Ama Mensah is answering." in ben.page

    await ben.post(page(talk, "reply"), text="Me too")

    assert ben.status == 409
    assert ben.said().startswith("Ama Mensah is answering this conversation.")
    assert "Me too" not in [each.text for each in await house.transcript(talk)]


async def test_a_second_member_of_staff_cannot_hand_back_a_held_conversation(
    house: House, ama: Browser, ben: Browser, talk: str
):
    await take_over(ama, talk)
    await ben.get(page(talk))

    await ben.post(page(talk, "hand-back"))

    assert ben.status == 409
    assert (await house.conversation(talk)).owner == Owner.STAFF


async def test_of_two_who_take_over_at_once_the_second_is_told_and_decides_again(
    house: House, ama: Browser, ben: Browser, talk: str
):
    await ben.get(page(talk))  # sees the bot answering
    await take_over(ama, talk)

    await ben.post(page(talk, "take-over"), holder="bot")
    assert ben.status == 409
    assert "has changed hands since you loaded the page. Ama Mensah is answering" in ben.said()
    assert (await house.conversation(talk)).assignee_id == (await house.staff("ama@example.org")).id
    await ben.post(page(talk, "take-over"), holder=ben.field("holder"))

    assert "You are answering." in ben.page


async def test_handing_back_lets_the_bot_answer_again(house: House, ama: Browser, talk: str):
    await take_over(ama, talk)

    await ama.post(page(talk, "hand-back"))
    assert "The bot is answering." in ama.page
    await house.tenant_says("hello again")

    assert [each.author for each in (await house.transcript(talk))[-2:]] == ["tenant", "bot"]


async def test_a_button_pressed_twice_sends_one_reply(house: House, ama: Browser, talk: str):
    await take_over(ama, talk)
    fields = {"text": "Once only", "form": ama.field("form"), "csrf": ama.field("csrf")}

    await asyncio.gather(*(house.client.post(page(talk, "reply"), data=fields) for _ in range(3)))

    assert sum("Once only" in each.text for each in await house.transcript(talk)) == 1


@pytest.mark.parametrize(("text", "reason"), [("  \n ", "nothing to send"), ("x" * 3001, "3001 characters")])
async def test_an_empty_or_endless_reply_is_refused(house: House, ama: Browser, talk: str, text: str, reason: str):
    await take_over(ama, talk)

    await ama.post(page(talk, "reply"), text=text, form="a")

    assert ama.status == 409
    assert reason in ama.said()


@pytest.mark.parametrize("verb", ["take-over", "reply", "hand-back"])
async def test_a_form_without_the_sessions_token_changes_nothing(house: House, ama: Browser, talk: str, verb: str):
    before = await house.conversation(talk)

    await ama.post(page(talk, verb), text="forged", holder="bot", csrf="wrong")

    assert ama.status == 403
    assert (await house.conversation(talk)).version == before.version


async def test_a_form_sent_from_another_site_changes_nothing(house: House, ama: Browser, talk: str):
    await ama.get(page(talk))

    answer = await house.client.post(
        page(talk, "take-over"), data={"csrf": ama.field("csrf"), "holder": "bot"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )  # fmt: skip

    assert answer.status == 403
    assert (await house.conversation(talk)).owner == Owner.BOT


async def test_nothing_is_shown_or_done_without_signing_in(house: House, ama: Browser, talk: str):
    guest = house.guest()
    for path in ("/staff", page(talk), "/staff/live"):
        assert (await guest.get(path)).url.path == "/staff/sign-in"

    await guest.post(page(talk, "take-over"), data={"holder": "bot"})

    assert (await house.conversation(talk)).owner == Owner.BOT


async def test_an_auditor_reads_everything_and_changes_nothing(house: House, ama: Browser, talk: str):
    auditor = await house.sign_in("Audra Tor", house.guest(), role="auditor")
    shown = await auditor.get(page(talk))
    assert "my tap is dripping" in shown
    assert "Take over" not in shown
    assert "<textarea" not in shown
    [task] = await house.rows(Task)

    for path in (page(talk, "take-over"), page(talk, "reply"), page(talk, "hand-back"), f"/staff/tasks/{task.id}/done"):
        await auditor.post(path, holder="bot", text="I audit", conversation=talk)
        assert auditor.status == 409
        assert "you can read everything here, but not change anything" in auditor.said()

    assert (await house.conversation(talk)).owner == Owner.BOT
    assert (await house.rows(Task))[0].done_at is None


async def test_what_a_tenant_writes_is_shown_as_text(house: House, ama: Browser):
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)> \"' tap"
    talk = (await house.tenant_says(attack, name="<b>Eve</b>")).conversation_id

    for path in ("/staff", page(talk)):
        shown = await ama.get(path)
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


async def test_an_emergency_is_on_top_of_every_page_with_its_time_until_somebody_ticks_it_off(
    house: House, ama: Browser
):
    talk = (await house.tenant_says("i smell gas")).conversation_id
    house.clock.advance(timedelta(minutes=7))

    shown = await ama.get("/staff")
    assert "Emergency: a smell of gas" in shown
    assert ">7 min</time>" in shown
    task = next(each for each in await house.rows(Task) if each.kind == "emergency")
    shown = await ama.get(page(talk))
    assert "Danger to life: a smell of gas" in shown
    assert "<q>gas</q>" in shown
    await ama.post(f"/staff/tasks/{task.id}/done", conversation=talk)

    assert ama.path == page(talk)
    assert 'data-key="alarm-' not in ama.page
    done = next(each for each in await house.rows(Task) if each.id == task.id)
    assert done.done_by == (await house.staff("ama@example.org")).id


async def test_a_person_at_risk_is_an_alarm_but_their_words_are_not_in_the_list(house: House, ama: Browser):
    await house.tenant_says("he hit me again")

    shown = await ama.get("/staff")

    assert "A person may be at risk" in shown
    assert "he hit me" not in shown


async def test_who_reads_a_case_in_confidence_is_on_record_once_an_hour(house: House, ama: Browser):
    talk = (await house.tenant_says("he hit me again")).conversation_id

    for _ in range(3):
        await ama.get(page(talk))
    house.clock.advance(timedelta(hours=1))
    await ama.get(page(talk))

    read = [each for each in await house.rows(Event) if each.verb == "case_read_in_confidence"]
    assert [each.actor for each in read] == [(await house.staff("ama@example.org")).id] * 2


async def test_a_tenant_is_called_what_their_provider_calls_them_until_they_tell_us(house: House, ama: Browser):
    await house.tenant_says("a tap", name="Isla Reid")

    assert "<b>Isla Reid</b>" in await ama.get("/staff")


async def test_advice_still_goes_out_while_a_person_answers(house: House, ama: Browser, talk: str):
    await take_over(ama, talk)

    await house.tenant_says("now i smell gas")

    assert [each.kind for each in (await house.transcript(talk)) if each.urgent] == ["advice"]
    assert "Emergency: a smell of gas" in await ama.get("/staff")


async def test_a_message_that_was_set_aside_is_marked_and_counted(house: House, ama: Browser):
    talk = (await house.tenant_says("please break")).conversation_id

    shown = await ama.get(page(talk))
    assert "Set aside:" in shown
    assert InboundState.SET_ASIDE in [each.state for each in await house.transcript(talk)]
    assert "<b>1</b> message set aside" in await ama.get("/staff")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (DeliveryState.SENT, "Sent, not yet known to have arrived"),
        (DeliveryState.DELIVERED, "Delivered"),
        (DeliveryState.FAILED, "Not delivered (30003). The tenant did not get this. Ring"),
        (DeliveryState.UNKNOWN, "May not have arrived (30003). Ask the tenant, or ring."),
    ],
)
async def test_how_far_a_message_has_come_is_said_in_words(
    house: House, ama: Browser, talk: str, state: DeliveryState, words: str
):
    message = (await house.transcript(talk))[-1]
    error = "30003" if state in {DeliveryState.FAILED, DeliveryState.UNKNOWN} else None
    await house.store.run(lambda session: outbox.move(session, message.id, state, now=house.clock.now(), error=error))

    assert words in await ama.get(page(talk))


async def test_a_promise_shows_when_it_was_met_and_when_it_is_late(house: House, ama: Browser, talk: str):
    assert "Running" in await ama.get(page(talk))
    house.clock.advance(timedelta(hours=11))
    await ama.get("/staff")
    house.clock.advance(timedelta(days=40))
    ama = Browser(house.guest())
    await ama.sign_in("ama@example.org")

    shown = await ama.get(page(talk))

    assert 'chip bad">Late</span> was due' in shown


async def test_a_banner_says_that_the_emergency_number_is_not_verified(house: House, ama: Browser):
    assert 'class="banner"' not in await ama.get("/staff")
    house.banners.append("The emergency number has not been verified.")

    assert "The emergency number has not been verified." in await ama.get("/staff")


async def test_conversations_that_need_a_person_and_my_own_have_views(house: House, ama: Browser, talk: str):
    waiting = (await house.tenant_says("please break", address="+447700900456")).conversation_id
    await take_over(ama, talk)

    assert waiting in await ama.get("/staff?view=waiting")
    assert f"line-{talk}" not in ama.page
    assert talk in await ama.get("/staff?view=mine")
    assert f"line-{waiting}" not in ama.page


async def test_what_a_disabled_colleague_held_is_put_before_the_others(
    house: House, ama: Browser, ben: Browser, talk: str
):
    await take_over(ama, talk)
    now = house.clock.now()
    await house.store.run(
        lambda session: accounts.disable(session, house.office, "ama@example.org", now=now, actor="test")
    )

    shown = await ben.get("/staff?view=waiting")
    assert "Nobody is answering this" in shown
    await take_over(ben, talk)

    assert "You are answering." in ben.page


async def test_an_unknown_conversation_or_task_is_said_to_be_unknown(house: House, ama: Browser):
    await ama.get("/staff")
    csrf = ama.field("csrf")
    await ama.get(page("0" * 32))
    assert ama.status == 404

    await ama.post(f"/staff/tasks/{'0' * 32}/done", csrf=csrf)

    assert ama.status == 409
    assert ama.said() == "There is no such task."


async def test_an_open_page_is_told_when_something_changed_and_when_its_session_ends(
    house: House, ama: Browser, talk: str
):
    async with house.client.ws_connect("/staff/live") as socket:
        await socket.send_json({"viewing": talk})
        assert await socket.receive_json(timeout=5) == {"changed": True}
        await house.tenant_says("anything new?")
        while await socket.receive_json(timeout=5) != {"changed": True}:
            pass
        await ama.get("/staff")
        await ama.post("/staff/sign-out")
        house.console.conversation_changed(talk)
        while (told := await socket.receive_json(timeout=5)) == {"changed": True}:
            pass

    assert told == {"signed_out": True}


async def test_what_staff_did_is_on_record(house: House, ama: Browser, talk: str):
    await take_over(ama, talk)
    await ama.post(page(talk, "reply"), text="On my way", form=ama.field("form"))
    await ama.post(page(talk, "hand-back"))

    ama_id = (await house.staff("ama@example.org")).id
    verbs = [each.verb for each in await house.rows(Event) if each.actor == ama_id]

    assert verbs[-3:] == ["conversation_staff", accounts.FORM_SENT, "conversation_bot"]
