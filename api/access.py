"""Who may do what: every request is let in, or refused, before anything else happens."""

import ipaddress
from typing import Final

from flask import Flask, Response, g, request

from api.callers import LOCAL, Caller
from api.errors import KeyRefusedError, RateLimitedError, ScopeMissingError
from api.key_cache import KeyCache
from api.timing import times
from workers.keys import Scope, split_key
from workers.limits import RateLimiter

OPEN_ROUTES: Final = frozenset({"/", "/docs", "/docs/<name>", "/openapi.json", "/livez", "/readyz"}) | {
    "/ops",
    "/ops/<name>",
    "/studio",
    "/studio/<name>",
}
"""What anybody may ask for. A route that is not here needs a key."""
METRICS_ENDPOINT: Final = "probes.metrics_page"
OTHER_SCOPES: Final = dict.fromkeys(("/metrics", "/ops/summary", "/ops/charts"), Scope.METRICS)
OUTAGE_SECONDS: Final = 300.0
"""So long `/metrics` is told to a key that was valid when it was used last, while the object store is away."""
SCHEME: Final = "bearer"
HOW: Final = "send an API key as `Authorization: Bearer KEY`"


def needed_scope(route: str) -> Scope | None:
    """What a key must be for to be used for the route; None for one that is open to all."""
    return None if route in OPEN_ROUTES else OTHER_SCOPES.get(route, Scope.JOBS)


def register_access(app: Flask, keys: KeyCache, limiter: RateLimiter) -> None:
    """Ask every request but those of `OPEN_ROUTES` who it is, and count it."""

    @app.before_request
    def let_in() -> None:
        # OPTIONS tells only which methods there are; what is nowhere is answered with 404 or 405.
        if request.url_rule is None or request.method == "OPTIONS":
            return
        if (scope := needed_scope(request.url_rule.rule)) is None:
            return
        with times().stage("auth"):
            _let_in(keys, limiter, scope)

    @app.after_request
    def tell_rate(response: Response) -> Response:
        """As draft-ietf-httpapi-ratelimit-headers has it."""
        if (state := g.get("rate")) is not None:
            rate = state.rate
            response.headers["RateLimit-Policy"] = f'"requests";q={rate.requests};w={rate.seconds}'
            response.headers["RateLimit"] = f'"requests";r={state.remaining};t={state.reset_seconds}'
        return response


def _let_in(keys: KeyCache, limiter: RateLimiter, scope: Scope) -> None:
    g.caller = _identify(keys, outage_seconds=OUTAGE_SECONDS if request.endpoint == METRICS_ENDPOINT else 0.0)
    key = g.caller.key
    if key is None:
        return
    if not key.allows(scope):
        raise ScopeMissingError(scope)
    if key.limits.rate is not None:
        g.rate = limiter.take(key.id, key.limits.rate)
        if not g.rate.allowed:
            raise RateLimitedError(rate=str(key.limits.rate), retry_after_seconds=g.rate.retry_seconds)


def is_still_let_in(caller: Caller, keys: KeyCache) -> bool:
    """Whether somebody who was let in some time ago would be again: not if the key was revoked or replaced since.

    Raises `StorageUnavailableError`.
    """
    if caller.key is None:
        return not keys.are_configured()
    record = keys.find(caller.key.id)
    return record is not None and record.accepts(caller.secret)


def stay_let_in(caller: Caller, keys: KeyCache) -> None:
    """Raises KeyRefusedError for somebody who is not let in any more, and as `is_still_let_in`."""
    if not is_still_let_in(caller, keys):
        raise _not_valid()


def _not_valid() -> KeyRefusedError:
    return KeyRefusedError("the API key is not known, or not valid any more", sent=True)


def _identify(keys: KeyCache, *, outage_seconds: float) -> Caller:
    sent = request.headers.get("Authorization")
    if sent is None:
        if keys.are_configured():
            raise KeyRefusedError(f"this needs an API key; {HOW}")
        if not _is_from_this_machine():
            raise KeyRefusedError(
                "this service has no API keys and serves only the machine it runs on; "
                "`spade-serve keys create` makes the first key"
            )
        return LOCAL
    scheme, _, text = sent.partition(" ")
    parts = split_key(text.strip()) if scheme.lower() == SCHEME else None
    if parts is None:
        raise KeyRefusedError(f"what was sent as Authorization is no API key; {HOW}", sent=True)
    key_id, secret = parts
    record = keys.find(key_id, outage_seconds=outage_seconds)
    if record is None or not record.accepts(secret):
        raise _not_valid()
    return Caller(owner=record.owner, key=record, secret=secret)


def _is_from_this_machine() -> bool:
    """Whether the connection is; what a proxy says of its own clients does not count."""
    before_proxy = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
    text = before_proxy.get("REMOTE_ADDR") or ""
    if not text:
        return True  # a Unix socket has no address
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
