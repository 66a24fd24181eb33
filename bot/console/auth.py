"""Who is at the browser: the session cookie, the token in every form, the sign-in page and the one-time link.

Every handler behind the door is wrapped in `Door.open_to`, which answers a request without a session with the sign-in page,
and refuses a POST whose form does not carry the session's token.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

from aiohttp import web

from bot.desk import staff as accounts
from bot.desk.office import Office
from bot.desk.staff import LinkUnusable, SignedIn, SignInRefused, StaffError, TryLater, WeakPassword
from bot.store import Store
from bot.wallclock import WallClock

SESSION_COOKIE: Final = "doorstep_staff"
GUEST_COOKIE: Final = "doorstep_guest"
"""Holds the token of forms that are shown before anybody is signed in."""

_WRONG: Final = "That email and password do not go together. Check both and try again."
_HASHING_AT_ONCE: Final = 2
"""Each takes a processor and 64 MB for a moment: a flood of sign-ins must not take the machine."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})

Page = Callable[..., web.Response]
"""`page(template, status=…, **values)`: a page rendered."""
Handler = Callable[[web.Request, SignedIn], Awaitable[web.StreamResponse]]


class Door:
    """Lets staff in and out."""

    def __init__(
        self, store: Store, office: Office, wall_clock: WallClock, page: Page, *, secure_cookies: bool
    ) -> None:
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._page = page
        self._secure = secure_cookies
        self._hashing = asyncio.Semaphore(_HASHING_AT_ONCE)

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/staff/sign-in", self.show_sign_in, allow_head=False),
            web.post("/staff/sign-in", self.sign_in),
            web.post("/staff/sign-out", self.open_to(self.sign_out)),
            web.get("/staff/welcome/{token}", self.show_welcome, allow_head=False),
            web.post("/staff/welcome/{token}", self.welcome),
        ]

    # --- every request

    def open_to(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """`handler`, for those who are signed in; a POST must carry the session's form token."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            who = await self.who(request)
            if who is None:
                return self._to_sign_in(request)
            if request.method == "POST" and not await self._is_ours(request, who.csrf):
                return self._forged(who)
            return await handler(request, who)

        return guarded

    async def who(self, request: web.Request) -> SignedIn | None:
        """Who is signed in at this browser; notes that the session is in use."""
        token = request.cookies.get(SESSION_COOKIE, "")
        if not token:
            return None
        now = self._wall_clock.now()
        who = await self._store.read(lambda session: accounts.signed_in(session, token, now=now))
        if who is not None and accounts.is_to_be_touched(who, now=now):
            await self._store.run(lambda session: accounts.touch(session, token, now=now))
        return who

    async def _is_ours(self, request: web.Request, expected: str) -> bool:
        # Browsers say where a form was sent from; those too old to say so still need the token.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return False
        given = (await request.post()).get("csrf", "")
        return bool(expected) and isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())

    def _forged(self, who: SignedIn | None = None) -> web.Response:
        return self._page(
            "message.html", status=403, who=who, title="That did not come from this page",
            text="Nothing was changed. Go back, load the page again, and repeat what you did.",
        )  # fmt: skip

    def _to_sign_in(self, request: web.Request) -> web.Response:
        target = request.path_qs if request.method == "GET" else ""
        query = f"?next={quote(target, safe='')}" if target and target != "/staff" else ""
        return web.Response(status=303, headers={"Location": f"/staff/sign-in{query}"})

    # --- signing in and out

    async def show_sign_in(self, request: web.Request) -> web.StreamResponse:
        if await self.who(request) is not None:
            raise web.HTTPSeeOther(_local(request.query.get("next", "")))
        return self._guest_page(
            request, "sign_in.html", next=_local(request.query.get("next", "")), email="", error=None
        )

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        if not await self._is_ours(request, request.cookies.get(GUEST_COOKIE, "")):
            return self._forged()
        form = await request.post()
        email, password = _text(form, "email"), _text(form, "password")
        try:
            who = await self._check(email, password, self._address(request))
        except (TryLater, SignInRefused) as refusal:
            status = 429 if isinstance(refusal, TryLater) else 403
            return self._guest_page(
                request,
                "sign_in.html",
                status=status,
                next=_local(_text(form, "next")),
                email=email,
                error=str(refusal),
            )
        if who is None:
            return self._guest_page(
                request, "sign_in.html", status=401, next=_local(_text(form, "next")), email=email, error=_WRONG
            )
        return self._enter(who, _local(_text(form, "next")))

    async def _check(self, email: str, password: str, address: str) -> SignedIn | None:
        now = self._wall_clock.now()
        attempt = await self._store.run(
            lambda session: accounts.begin_sign_in(session, self._office, email, address, now=now)
        )
        async with self._hashing:
            right = await asyncio.to_thread(accounts.password_matches, attempt.password_hash, password)
        if not right:
            return None
        return await self._store.run(lambda session: accounts.finish_sign_in(session, self._office, attempt, now=now))

    async def sign_out(self, _request: web.Request, who: SignedIn) -> web.StreamResponse:
        now = self._wall_clock.now()
        await self._store.run(lambda session: accounts.sign_out(session, self._office, who.token, now=now))
        response = web.Response(status=303, headers={"Location": "/staff/sign-in"})
        response.del_cookie(SESSION_COOKIE, path="/staff")
        return response

    # --- the one-time link

    async def show_welcome(self, request: web.Request) -> web.StreamResponse:
        """The form for a password. Changes nothing: mail programs and chats open links to look at them."""
        return await self._welcome_page(request, None)

    async def _welcome_page(self, request: web.Request, error: str | None) -> web.Response:
        token, now = request.match_info["token"], self._wall_clock.now()
        try:
            member = await self._store.read(lambda session: accounts.link_holder(session, token, now=now))
        except StaffError as fault:
            status = 410 if isinstance(fault, LinkUnusable) else 403
            return self._page("message.html", status=status, title="This link cannot be used", text=str(fault))
        status = 200 if error is None else 400
        return self._guest_page(request, "welcome.html", status=status, member=member, error=error)

    async def welcome(self, request: web.Request) -> web.StreamResponse:
        if not await self._is_ours(request, request.cookies.get(GUEST_COOKIE, "")):
            return self._forged()
        token, password = request.match_info["token"], _text(await request.post(), "password")
        now = self._wall_clock.now()
        try:
            # The link is looked at before the slow hashing, so that a wrong one costs nothing.
            await self._store.read(lambda session: accounts.link_holder(session, token, now=now))
            async with self._hashing:
                hashed = await asyncio.to_thread(accounts.hash_password, password)
            who = await self._store.run(
                lambda session: accounts.choose_password(session, self._office, token, hashed, now=now)
            )
        except WeakPassword as fault:
            return await self._welcome_page(request, str(fault))
        except StaffError:
            return await self._welcome_page(request, None)
        return self._enter(who, "/staff")

    # --- inside

    def _enter(self, who: SignedIn, target: str) -> web.Response:
        response = web.Response(status=303, headers={"Location": target})
        self._set_cookie(response, SESSION_COOKIE, who.token, max_age=int(accounts.SESSION_LASTS.total_seconds()))
        response.del_cookie(GUEST_COOKIE, path="/staff")
        return response

    def _guest_page(self, request: web.Request, template: str, **values: Any) -> web.Response:
        """A page with a form for somebody who is not signed in: its token is held by a cookie of its own."""
        csrf = request.cookies.get(GUEST_COOKIE) or self._wall_clock.token(24)
        response = self._page(template, csrf=csrf, **values)
        self._set_cookie(response, GUEST_COOKIE, csrf, max_age=None)
        return response

    def _set_cookie(self, response: web.Response, name: str, value: str, *, max_age: int | None) -> None:
        response.set_cookie(
            name, value, max_age=max_age, path="/staff", httponly=True, samesite="Lax", secure=self._secure
        )

    def _address(self, request: web.Request) -> str:
        """Where the browser is. A proxy on this machine says so; anybody else's word for it is not taken."""
        peer = request.remote or ""
        forwarded = request.headers.get("X-Forwarded-For", "")
        return forwarded.rpartition(",")[2].strip() if peer in _LOOPBACK and forwarded else peer


def _local(target: str) -> str:
    """`target` if it is a page of the console, else its first page: a link must not lead out through our sign-in."""
    parts = urlsplit(target)
    inside = parts.path == "/staff" or parts.path.startswith("/staff/")
    return target if inside and not parts.scheme and not parts.netloc and "\\" not in target else "/staff"


def _text(form: Any, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
