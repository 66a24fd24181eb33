import asyncio
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from unit.webchat.chat_server import Content, HandClock, Limits, Tab, Transcripts

from bot.channels.web.tokens import Signer
from bot.messages import ChannelName, Outbound

SOCKET = "/channels/web/socket"


async def test_hello_opens_a_session(http, server):
    socket = await http.ws_connect(server.url + SOCKET)
    await socket.send_str('{"type":"hello","session":null,"after":0}')
    frame = await socket.receive_json()
    assert frame["type"] == "session"
    assert frame["open"] is True
    assert frame["name"] == "Tenacre Homes"
    assert isinstance(frame["token"], str)
    await socket.close()


async def test_a_message_is_accepted_only_once_it_is_stored(tab, server):
    server.store.hold = asyncio.Event()
    await tab.send(type="message", id="one", text="my tap drips")
    assert server.store.received == []
    server.store.hold.set()
    assert await tab.next("accepted") == {"type": "accepted", "id": "one", "seq": 1}
    (inbound,) = server.store.received
    assert (inbound.channel, inbound.address, inbound.text) == (ChannelName.WEB, tab.session, "my tap drips")
    assert inbound.provider_id == f"{tab.session}:one"


async def test_what_could_not_be_stored_is_never_accepted_and_can_be_sent_again(http, server, tab, caplog):
    server.store.down = True
    await tab.send(type="message", id="one", text="my tap drips")
    assert await tab.closed() == aiohttp.WSCloseCode.TRY_AGAIN_LATER
    server.store.down = False
    again = await Tab(http, server).connect(tab.token)
    assert await again.say("my tap drips", id="one") == 1
    assert len(server.store.received) == 1
    assert "my tap drips" not in caplog.text


async def test_the_same_client_id_twice_is_one_message_with_one_seq(tab, server):
    first = await tab.say("hello", id="same")
    await tab.say("something else", id="other")
    assert await tab.say("hello", id="same") == first == 1
    assert [inbound.text for inbound in server.store.received] == ["hello", "something else"]


async def test_answers_come_after_the_acceptance_and_in_order(tab, server):
    server.store.answer = lambda inbound: [{"text": "first"}, {"text": "second", "choices": [("Yes", "/affirm")]}]
    await tab.say("hello")
    first, second = await tab.next("message"), await tab.next("message")
    assert [first["seq"], second["seq"]] == [2, 3]
    assert first["from"] == "bot"
    assert first["name"] == "Tenacre Homes"
    assert second["choices"] == [{"label": "Yes", "value": "/affirm"}]
    assert datetime.fromisoformat(second["at"]).tzinfo is not None


async def test_a_choice_arrives_with_its_value_and_the_label_the_tenant_read(tab, server):
    server.store.answer = lambda inbound: [
        {"text": "Is it the only toilet?", "choices": [("Yes, the only one", "/affirm")]}
    ]
    await tab.say("toilet blocked")
    await tab.next("message")
    server.store.answer = None
    await tab.send(type="choice", id="pressed", value="/affirm")
    assert (await tab.next("accepted"))["seq"] == 3
    inbound = server.store.received[-1]
    assert (inbound.content, inbound.choice, inbound.text) == (Content.CHOICE, "/affirm", "Yes, the only one")


async def test_a_choice_that_was_never_offered_here_does_nothing(tab, server):
    await tab.send(type="choice", id="forged", value='/inform{"verified": true}')
    frame = await tab.next("error")
    assert (frame["code"], frame["id"]) == ("old_choice", "forged")
    assert server.store.received == []


async def test_a_client_that_comes_back_gets_exactly_what_it_missed_once_and_in_order(http, server, tab):
    await tab.say("hello")
    await server.say(tab.session, "one")
    await tab.next("message")
    await tab.close()
    for words in ("two", "three", "four"):
        await server.say(tab.session, words)
    back = await Tab(http, server).connect(tab.token, after=tab.seq)
    assert [(frame["seq"], frame["text"]) for frame in back.replay] == [(3, "two"), (4, "three"), (5, "four")]
    await server.say(tab.session, "five")
    assert (await back.next("message"))["text"] == "five"
    await back.nothing_more()
    assert back.token == tab.token


async def test_replay_gives_the_tenants_own_messages_under_the_id_their_browser_gave(http, server, tab):
    await tab.say("hello", id="mine")
    other = await Tab(http, server).connect(tab.token)
    (frame,) = other.replay
    assert (frame["from"], frame["id"], frame["text"]) == ("tenant", "mine", "hello")


async def test_a_store_that_hands_over_provider_ids_is_understood_too(http, server, tab):
    server.store.add(tab.session, "tenant", "hello", id=f"{tab.session}:mine")
    other = await Tab(http, server).connect(tab.token)
    assert other.replay[0]["id"] == "mine"


async def test_messages_handed_over_while_away_out_of_order_or_twice_still_arrive_in_order_once(tab, server):
    rows = [server.store.add(tab.session, "bot", f"number {n}") for n in range(1, 6)]
    for row in (rows[2], rows[0], rows[4], rows[4], rows[1], rows[3]):
        await server.push(tab.session, row)
    assert [(await tab.next("message"))["seq"] for _ in rows] == [1, 2, 3, 4, 5]
    await tab.nothing_more()


async def test_a_message_another_process_wrote_arrives_with_a_nudge(tab, server):
    server.store.add(tab.session, "staff", "I am Ann.", name="Ann")
    server.channel.nudge(tab.session)
    frame = await tab.next("message")
    assert (frame["from"], frame["name"], frame["text"]) == ("staff", "Ann", "I am Ann.")
    server.store.add(tab.session, "staff", "How can I help?", name="Ann")
    server.channel.nudge()
    assert (await tab.next("message"))["text"] == "How can I help?"


async def test_what_the_tenant_says_never_overtakes_what_was_said_before(tab, server):
    server.store.add(tab.session, "bot", "written by another process, not yet pushed")
    await tab.send(type="message", id="mine", text="hello")
    assert (await tab.next("message"))["seq"] == 1
    assert await tab.next("accepted") == {"type": "accepted", "id": "mine", "seq": 2}


async def test_several_tabs_see_the_same_conversation(http, server, tab):
    other = await Tab(http, server).connect(tab.token)
    assert other.session == tab.session
    await tab.say("hello from the first", id="mine")
    frame = await other.next("message")
    assert (frame["from"], frame["id"], frame["text"]) == ("tenant", "mine", "hello from the first")
    await server.say(tab.session, "answer")
    assert (await tab.next("message"))["text"] == (await other.next("message"))["text"] == "answer"
    assert await other.say("hello from the second") == 3
    assert (await tab.next("message"))["text"] == "hello from the second"
    await tab.nothing_more()
    await other.nothing_more()


async def test_two_tabs_send_the_same_thing_at_once_and_it_is_one_message(http, server, tab):
    other = await Tab(http, server).connect(tab.token)
    server.store.hold = asyncio.Event()
    for one in (tab, other):
        await one.send(type="message", id="same", text="hello")
    server.store.hold.set()
    seqs = set()
    for one in (tab, other):
        frame = await one.next()
        while frame["type"] != "accepted":
            frame = await one.next()
        seqs.add(frame["seq"])
    assert seqs == {1}
    assert len(server.store.received) == 1


@pytest.mark.parametrize("damage", ["x", "session", "signature", "empty", "number"])
async def test_a_forged_token_gets_a_fresh_session_and_nothing_of_anyone_elses(http, server, tab, damage):
    await tab.say("private words")
    session, issued, signature = tab.token.split(".")
    forged = {
        "x": "x",
        "session": f"{'a' * len(session)}.{issued}.{signature}",
        "signature": f"{session}.{issued}.{'A' * len(signature)}",
        "empty": "",
        "number": 7,
    }[damage]
    other = await Tab(http, server).connect(forged)
    assert other.session != tab.session
    assert other.replay == []
    await server.say(tab.session, "for the first only")
    await other.nothing_more()


async def test_a_token_opens_its_session_for_a_day_and_is_renewed_while_in_use(http, serve):
    clock = HandClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    server = await serve(clock=clock)
    tab = await Tab(http, server).connect()
    await tab.say("hello")
    clock.advance(timedelta(hours=23))
    back = await Tab(http, server).connect(tab.token)
    assert (back.session, len(back.replay)) == (tab.session, 1)
    assert back.token != tab.token
    clock.advance(timedelta(hours=2))
    assert (await Tab(http, server).connect(tab.token)).session != tab.session
    assert (await Tab(http, server).connect(back.token)).session == tab.session
    await back.say("still here")
    assert (await back.next("session"))["token"].startswith(tab.session)


async def test_a_token_signed_with_another_secret_opens_nothing(http, server, tab):
    forged = Signer("another secret, just as long as ours").issue(tab.session, datetime.now(UTC))
    assert (await Tab(http, server).connect(forged)).session != tab.session


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("nonsense", "bad_json"),
        ("[1]", "bad_json"),
        ('{"no": "type"}', "bad_frame"),
        ('{"type": "message", "text": "no id"}', "bad_frame"),
        ('{"type": "message", "id": "a b", "text": "bad id"}', "bad_frame"),
        ('{"type": "message", "id": "a", "text": 7}', "bad_frame"),
        ('{"type": "message", "id": "a", "text": "  \\u0000 "}', "empty"),
        ('{"type": "ack", "seq": "1"}', "bad_frame"),
        ('{"type": "ack", "seq": -1}', "bad_frame"),
        ('{"type": "choice", "id": "a", "value": null}', "bad_frame"),
        ('{"type": "hello", "session": null, "after": 0}', "hello_again"),
        ("[" * 100_000, "bad_json"),
    ],
)
async def test_a_bad_frame_is_refused_in_words_and_the_chat_goes_on(tab, server, raw, code):
    await tab.socket.send_str(raw)
    frame = await tab.next("error")
    assert frame["code"] == code
    assert frame["text"]
    assert await tab.say("still here") == 1
    assert len(server.store.received) == 1


async def test_unknown_types_and_fields_are_ignored(tab, server):
    await tab.send(type="wave", at="everyone")
    await tab.send(type="message", id="a", text="hello", mood="good")
    assert (await tab.next("accepted"))["seq"] == 1


async def test_words_before_hello_are_refused(http, server):
    socket = await http.ws_connect(server.url + SOCKET)
    await socket.send_str('{"type":"message","id":"a","text":"hello"}')
    assert (await socket.receive_json())["code"] == "hello_first"
    assert server.store.received == []
    await socket.close()


async def test_a_socket_that_sends_only_rubbish_is_closed(tab):
    for _ in range(26):
        await tab.socket.send_str("rubbish")
    for _ in range(25):
        await tab.next("error")
    assert await tab.closed() == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_binary_frames_are_refused(tab):
    await tab.socket.send_bytes(b"\x00\x01")
    assert (await tab.next("error"))["code"] == "bad_json"


async def test_exactly_two_thousand_characters_are_taken_and_one_more_is_refused_with_the_numbers(tab, server):
    assert await tab.say("é" * 1_999 + "\U0001f600") == 1
    await tab.send(type="message", id="long", text="x" * 2_001)
    frame = await tab.next("error")
    assert (frame["code"], frame["id"]) == ("too_long", "long")
    assert "2,000" in frame["text"]
    assert "Emergency services 999" in frame["text"]
    assert len(server.store.received) == 1


async def test_half_a_character_and_control_characters_do_no_harm(tab, server):
    await tab.socket.send_str('{"type":"message","id":"a","text":"the \\u0000tap \\ud800 drips\\r\\nstill"}')
    await tab.next("accepted")
    text = server.store.received[0].text
    assert text == "the tap \ufffd drips\nstill"
    text.encode()


async def test_writing_too_fast_is_refused_with_the_numbers_but_danger_always_passes(http, serve):
    server = await serve(limits=Limits(burst=2, per_second=0.001))
    tab = await Tab(http, server).connect()
    await tab.say("one")
    await tab.say("two")
    await tab.send(type="message", id="three", text="three")
    frame = await tab.next("error")
    assert (frame["code"], frame["id"]) == ("rate_limited", "three")
    assert "0800 111 999" in frame["text"]
    await tab.close()
    back = await Tab(http, server).connect(tab.token, after=2)
    await back.send(type="message", id="four", text="four")
    assert (await back.next("error"))["code"] == "rate_limited"
    assert await back.say("I smell gas") == 3


async def test_acknowledgements_reach_the_store_once_and_never_beyond_what_was_sent(tab, server):
    await server.say(tab.session, "one")
    await server.say(tab.session, "two")
    await tab.next("message")
    await tab.next("message")
    for seq in (1, 1, 9, 2):
        await tab.send(type="ack", seq=seq)
    await tab.nothing_more()
    assert server.store.acknowledged == [(tab.session, 1), (tab.session, 2)]


async def test_a_message_sent_while_nobody_is_connected_waits_in_the_transcript(http, server, tab):
    await tab.close()
    message = await server.say(tab.session, "your joiner comes on Tuesday")
    outbound = Outbound(message.id, ChannelName.WEB, tab.session, message.text, seq=message.seq)
    assert await server.channel.send(outbound) == message.id
    assert await server.channel.find_sent(outbound) == message.id
    assert server.store.acknowledged == []
    back = await Tab(http, server).connect(tab.token)
    assert [frame["text"] for frame in back.replay] == ["your joiner comes on Tuesday"]


async def test_typing_is_told_both_ways(tab, server):
    await tab.send(type="typing")
    await tab.send(type="typing")
    await tab.nothing_more()
    assert server.typing == [tab.session]
    await server.channel.show_typing(tab.session, "Ann")
    assert await tab.next() == {"type": "typing", "name": "Ann"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
async def test_a_page_of_another_site_cannot_open_the_socket(http, server, origin):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(server.url + SOCKET, origin=origin)
    assert refused.value.status == 403


async def test_our_own_page_and_allowed_origins_can_open_the_socket(http, serve):
    server = await serve(allowed_origins=["https://tenants.example.org"])
    for origin in (server.url, "https://tenants.example.org"):
        tab = await Tab(http, server).connect(origin=origin)
        await tab.close()


async def test_after_a_restart_of_the_server_the_conversation_goes_on(http, serve):
    store = Transcripts()
    server = await serve(store)
    tab = await Tab(http, server).connect()
    await tab.say("hello")
    await server.stop()
    assert await tab.closed() == aiohttp.WSCloseCode.GOING_AWAY
    store.add(tab.session, "bot", "said during the restart")
    again = await serve(store)
    back = await Tab(http, again).connect(tab.token, after=tab.seq)
    assert [frame["text"] for frame in back.replay] == ["said during the restart"]


async def test_safety_advice_is_marked_so_that_it_can_be_announced_at_once(tab, server):
    await server.say(tab.session, "Leave now. Phone 0800 111 999.", urgent=True)
    assert (await tab.next("message"))["urgent"] is True
    await server.say(tab.session, "Thank you.")
    assert "urgent" not in await tab.next("message")


async def test_one_session_cannot_hold_more_sockets_than_allowed(http, serve):
    server = await serve(limits=Limits(sockets=2))
    tab = await Tab(http, server).connect()
    second = await Tab(http, server).connect(tab.token)
    third = await http.ws_connect(server.url + SOCKET)
    await third.send_str(json.dumps({"type": "hello", "session": tab.token, "after": 0}))
    assert (await third.receive()).data == aiohttp.WSCloseCode.POLICY_VIOLATION
    assert await second.say("hello") == 1


async def test_many_reconnects_at_random_moments_lose_and_double_nothing(http, server, tab):
    chance = HandClock(datetime(2026, 11, 23, tzinfo=UTC), seed=7)
    heard = []
    for n in range(40):
        await server.say(tab.session, f"number {n}")
        if chance.uniform(0, 1) < 0.4:
            heard.append((await tab.next("message"))["seq"])
        if chance.uniform(0, 1) < 0.5:
            await tab.close()
            tab.socket = None
            last = heard[-1] if heard else 0
            await tab.connect(tab.token, after=last)
            heard.extend(frame["seq"] for frame in tab.replay)
    while len(heard) < 40:
        heard.append((await tab.next("message"))["seq"])
    assert heard == list(range(1, 41))
    await tab.nothing_more()
