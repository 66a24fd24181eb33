"""The floor: the least that any honest SMS bot does for a message.

aiohttp, Twilio's signature checked, one durable row (commits shared by those who wait), 200, one text sent through the REST
API. No understanding, no triage, no cases. What Doorstep costs above it is what Doorstep does.
"""

import argparse
import asyncio
import queue
import sqlite3
import threading
from concurrent.futures import Future

import aiohttp
import uvloop
from aiohttp import web
from twilio.request_validator import RequestValidator


class Rows:
    """One writer thread; whoever waits shares its commit."""

    def __init__(self, path: str) -> None:
        self._waiting: queue.SimpleQueue[tuple[tuple[str, str, str], Future[None]]] = queue.SimpleQueue()
        self._path = path
        threading.Thread(target=self._write, daemon=True).start()

    async def insert(self, row: tuple[str, str, str]) -> None:
        future: Future[None] = Future()
        self._waiting.put((row, future))
        await asyncio.wrap_future(future)

    def _write(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE message (id TEXT PRIMARY KEY, sender TEXT, body TEXT)")
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty() and len(batch) < 64:
                batch.append(self._waiting.get())
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO message VALUES (?, ?, ?)", [row for row, _ in batch])
            connection.execute("COMMIT")
            for _, future in batch:
                future.set_result(None)


def application(args: argparse.Namespace) -> web.Application:
    validator = RequestValidator(args.token)
    rows = Rows(args.database)
    sends: set[asyncio.Task[None]] = set()
    app = web.Application()
    http: list[aiohttp.ClientSession] = []

    async def connect(_app: web.Application) -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth(args.account, args.token)}
        http.append(aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=128)))

    async def disconnect(_app: web.Application) -> None:
        await http[0].close()

    async def send(to: str) -> None:
        data = {"To": to, "From": args.sender, "Body": "We have your message."}
        async with http[0].post(f"{args.api}/2010-04-01/Accounts/{args.account}/Messages.json", data=data) as answer:
            await answer.read()

    async def arrive(request: web.Request) -> web.Response:
        params = dict(await request.post())
        if not validator.validate(args.public + request.path, params, request.headers.get("X-Twilio-Signature", "")):
            raise web.HTTPForbidden
        await rows.insert((str(params["MessageSid"]), str(params["From"]), str(params["Body"])))
        task = asyncio.create_task(send(str(params["From"])))
        sends.add(task)
        task.add_done_callback(sends.discard)
        return web.Response(text="<Response></Response>", content_type="application/xml")

    app.on_startup.append(connect)
    app.on_cleanup.append(disconnect)
    app.router.add_post("/channels/sms", arrive)
    app.router.add_get("/healthz", lambda _request: web.json_response({"alive": True}))
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("--port", "--database", "--public", "--api", "--account", "--token", "--sender"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    uvloop.install()
    web.run_app(application(given), host="127.0.0.1", port=int(given.port), print=lambda *_: None, access_log=None)
