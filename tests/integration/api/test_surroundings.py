"""What stands around the API: headers that keep browsers careful, other sites' pages, proxies in front."""

import dataclasses

import pytest

from support.keys import bearer, make_key
from workers.errors import SettingsError
from workers.settings import HttpSettings, Settings

SITE, OTHER = "https://studio.example.org", "https://evil.example.org"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}
FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "pictures.example.org"}


@pytest.fixture
def make_http(make_client, settings):
    """A client of an API with these HttpSettings."""
    return lambda **http: make_client(settings=dataclasses.replace(settings, http=HttpSettings(**http)))


# Headers


def test_every_kind_of_answer_keeps_browsers_careful(client, finished, objects):
    paths = [
        *(
            "/",
            "/studio",
            "/studio/nope",
            "/docs",
            "/docs/docs.js",
            "/docs/nope",
            "/openapi.json",
            "/livez",
            "/readyz",
            "/metrics",
            "/nothing",
        ),
        *("/v1/jobs", "/v1/models", "/v1/jobs/nope", f"/v1/jobs/{finished}", f"/v1/jobs/{finished}/archive"),
        *(f"/v1/jobs/{finished}/items/0/image", f"/v1/jobs/{finished}/items/0/image?proxy=1", "/v1//jobs"),
        f"/v1/jobs/{finished}/events",
    ]
    answers = {path: client.get(path) for path in paths}
    make_key(objects)
    client.application.extensions["spade"].keys._asked = None  # as after a while
    answers["without a key"] = client.get("/v1/jobs")
    assert answers["without a key"].status_code == 401
    for path, answer in answers.items():
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["X-Frame-Options"] == "DENY", path
        assert answer.headers["Referrer-Policy"] == "no-referrer", path
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        is_public = path.startswith(("/docs/docs", "/openapi")) or path == "/docs"
        caching = answer.headers["Cache-Control"]
        assert caching == "public, max-age=3600" if is_public else caching.startswith(("private", "no-")), path
        assert "Access-Control-Allow-Origin" not in answer.headers, path
        assert "Strict-Transport-Security" not in answer.headers, path


# Other sites


def test_pages_of_a_listed_site_may_use_the_api(make_http, objects):
    client = make_http(cors_origins=(SITE,))
    key = make_key(objects)
    asked = {"Origin": SITE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    preflight = client.options("/v1/jobs/mine", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == SITE
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    answer = client.get("/v1/jobs", headers={"Origin": SITE, **bearer(key)})
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    refused = client.get("/v1/jobs", headers={"Origin": SITE})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, SITE)
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", [OTHER, "null", SITE + ".evil.org", "http://studio.example.org", SITE.upper(), ""])
def test_pages_of_other_sites_may_not(make_http, origin):
    answer = make_http(cors_origins=(SITE,)).get("/v1/jobs", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]  # or else a cache would give this answer to the listed site


def test_by_default_no_other_site_may(client):
    assert "Access-Control-Allow-Origin" not in client.get("/v1/jobs", headers={"Origin": SITE}).headers


@pytest.mark.parametrize("origin", ["*", "studio.example.org", "https://a.org/", "https://*.a.org", "null"])
def test_only_exact_origins_can_be_listed(origin):
    with pytest.raises(SettingsError, match="it must be like"):
        HttpSettings(cors_origins=(origin,))


def test_the_environment_tells_of_sites_and_proxies(service_environment):
    told = {**service_environment, "SPADE_CORS_ORIGINS": f"{SITE}, {OTHER}", "SPADE_TRUSTED_PROXIES": "2"}
    assert Settings.from_environment(told).http == HttpSettings(cors_origins=(SITE, OTHER), trusted_proxies=2)
    with pytest.raises(SettingsError, match="trusted_proxies is -1"):
        Settings.from_environment({**told, "SPADE_TRUSTED_PROXIES": "-1"})
    with pytest.raises(SettingsError, match="log_level is 'loud'; it must be one of debug, info, warning, error"):
        Settings.from_environment({**told, "SPADE_LOG_LEVEL": "loud"})


# Proxies


def test_what_a_trusted_proxy_says_shows_in_links_and_headers(make_http):
    client = make_http(trusted_proxies=1)
    answer = client.get("/v1//models", headers=FORWARDED)
    assert answer.headers["Location"] == "https://pictures.example.org/v1/models"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    plain = client.get("/v1/models", headers={**FORWARDED, "X-Forwarded-Proto": "http"})
    assert "Strict-Transport-Security" not in plain.headers


def test_without_a_trusted_proxy_nothing_forwarded_is_believed(client):
    answer = client.get("/v1//models", headers=FORWARDED)
    assert answer.headers["Location"] == "http://localhost/v1/models"
    assert "Strict-Transport-Security" not in answer.headers


def test_only_as_many_proxies_as_were_told_are_believed(make_http):
    sent = {name: f"{value}, {value}" for name, value in FORWARDED.items()}
    sent["X-Forwarded-Host"] = "forged.example.org, pictures.example.org"
    assert (
        "//pictures.example.org/" in make_http(trusted_proxies=1).get("/v1//models", headers=sent).headers["Location"]
    )


def test_a_client_cannot_say_that_it_is_this_machine(make_http):
    for http in ({}, {"trusted_proxies": 1}):
        sent = {"X-Forwarded-For": "127.0.0.1"}
        assert make_http(**http).get("/v1/jobs", headers=sent, environ_overrides=ELSEWHERE).status_code == 401


def test_clients_of_a_proxy_on_this_machine_are_let_in_as_long_as_there_are_no_keys(make_http):
    assert make_http(trusted_proxies=1).get("/v1/jobs", headers=FORWARDED).status_code == 200
