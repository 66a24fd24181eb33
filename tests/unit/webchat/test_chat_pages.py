import re

import pytest
from unit.webchat.chat_server import NUMBERS

from bot.channels.web import WordsError, load_words
from bot.channels.web.page import HERE


async def text(http, server, path, **options):
    async with http.get(server.url + path, **options) as response:
        assert response.status == 200
        return await response.text(), response.headers


async def test_the_page_carries_the_numbers_of_this_hour(http, server):
    page, _ = await text(http, server, "/chat")
    for label, number in NUMBERS:
        assert label in page
        assert number in page
    assert 'href="tel:0800111999"' in page
    server.numbers = [("Tonight's number", "01632 960 999")]
    page, headers = await text(http, server, "/chat")
    assert "01632 960 999" in page
    assert "01632 960 001" not in page
    assert headers["Cache-Control"] == "no-store"


async def test_the_policy_of_the_page_allows_nothing_inline_and_nobody_elses_files(http, server):
    page, headers = await text(http, server, "/chat")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert f"wss://127.0.0.1:{server.port}" in policy
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*(src=|application/json))", page)
    assert not re.search(r'(src|href)="(https?:)?//', page)


async def test_the_landlords_sites_may_embed_the_page_and_only_real_sources_are_taken(http, serve):
    server = await serve(frame_ancestors=["'self'", "https://www.tenacre.example"])
    _, headers = await text(http, server, "/chat?embed=1")
    assert "frame-ancestors 'self' https://www.tenacre.example" in headers["Content-Security-Policy"]
    with pytest.raises(ValueError, match="frame ancestor"):
        await serve(frame_ancestors=["https://a.example; script-src *"])


async def test_a_name_that_looks_like_html_stays_a_name(http, serve):
    server = await serve()
    server.numbers = [("</script><script>alert(1)</script>", "999")]
    page, _ = await text(http, server, "/chat")
    assert "<script>alert" not in page


async def test_a_made_up_host_does_not_get_into_the_policy(http, server):
    _, headers = await text(http, server, "/chat", headers={"Host": "evil.example; script-src *"})
    assert "evil" not in headers["Content-Security-Policy"]


async def test_static_files_are_fetched_once_and_then_only_asked_about(http, server):
    _, headers = await text(http, server, "/chat/static/chat.js")
    assert headers["Content-Type"].startswith("text/javascript")
    again = {"If-None-Match": headers["ETag"]}
    async with http.get(server.url + "/chat/static/chat.js", headers=again) as response:
        assert response.status == 304


@pytest.mark.parametrize("name", ["chat.html", "nothing.js", "..%2fwords.toml", "widget.js"])
async def test_nothing_but_the_pages_own_files_is_served(http, server, name):
    async with http.get(f"{server.url}/chat/static/{name}") as response:
        assert response.status == 404


async def test_the_widget_is_small_open_to_every_site_and_carries_its_words(http, server):
    script, headers = await text(http, server, "/widget.js")
    assert len(script.encode()) < 30_000
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Chat with us" in script
    assert "__WORDS__" not in script


async def test_every_page_needs_little_even_on_an_old_phone(http, server):
    page, _ = await text(http, server, "/chat")
    paths = set(re.findall(r'"(/chat/static/[^"]+)"', page))
    assert sum([len((await text(http, server, path))[0]) for path in paths]) + len(page) < 100_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("title = ", "titel = "), "has no usable title"),
        (('send = "Send"', "send = 3"), "has no usable send"),
        (('send = "Send"', 'send = "Send {name}"'), "unknown placeholder {name}"),
        (('send = "Send"', 'send = "Send"\nsnd = "Send"'), "snd is not a word of the web chat"),
        (('send = "Send"', 'send = "Send'), "Illegal character"),
    ],
)
def test_faulty_words_are_refused_with_file_and_line(tmp_path, change, reason):
    path = tmp_path / "words.toml"
    path.write_text((HERE / "words.toml").read_text().replace(*change))
    with pytest.raises(WordsError, match=re.escape(reason)) as refused:
        load_words(path)
    assert re.match(rf"{re.escape(str(path))}:\d+: ", str(refused.value))
