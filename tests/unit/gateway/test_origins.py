import pytest
from starlette.datastructures import Headers

from video_manager.gateway.origins import Origins, allowed_origins, host_name, origin_of, socket_origin_check
from video_manager.settings import Settings


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.org:443/a?b", "https://example.org"),
        ("http://example.org:8800", "http://example.org:8800"),
        ("http://[::1]:80/", "http://[::1]"),
        ("null", None),
        ("file:///etc", None),
        ("https://", None),
        ("http://a:99999", None),
    ],
)
def test_origins_are_normal(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


def test_a_laptop_has_its_loopback_names(settings: Settings) -> None:
    port = settings.port
    assert allowed_origins(settings) == (
        f"http://127.0.0.1:{port}",
        f"http://localhost:{port}",
        f"http://[::1]:{port}",
    )


def test_a_server_has_its_public_name_and_what_was_added(settings: Settings) -> None:
    changed = settings.model_copy(
        update={"public_url": "https://videos.example.org/", "allowed_origins": ("https://studio.example.org",)}
    )
    assert allowed_origins(changed) == ("https://videos.example.org", "https://studio.example.org")


@pytest.mark.parametrize(
    ("headers", "proof"),
    [
        ({"origin": "http://10.0.0.5:8800", "host": "10.0.0.5:8800"}, True),
        ({"origin": "https://videos.example.org", "host": "videos.example.org"}, True),
        ({"origin": "https://videos.example.org:444", "host": "videos.example.org"}, False),
        ({"origin": "https://evil.example", "host": "videos.example.org"}, False),
        ({"origin": "null", "host": "videos.example.org"}, False),
        ({"origin": "", "host": ""}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://evil.example", "sec-fetch-site": "same-origin", "host": "a"}, False),
        ({}, None),
    ],
)
def test_who_made_the_request(settings: Settings, headers: dict[str, str], proof: bool | None) -> None:
    assert Origins(settings).proves_same_origin(Headers(headers)) is proof


def test_sockets(settings: Settings) -> None:
    check = socket_origin_check(settings)
    assert check("http://10.0.0.5:8800", {"HTTP_HOST": "10.0.0.5:8800"})
    assert not check("https://evil.example", {"HTTP_HOST": "10.0.0.5:8800"})
    assert not check(None, {"HTTP_HOST": "10.0.0.5:8800"})


@pytest.mark.parametrize(("host", "name"), [("[::1]:80", "::1"), ("localhost:1", "localhost"), ("", None), ("[", None)])
def test_names_of_hosts(host: str, name: str | None) -> None:
    assert host_name(host) == name
