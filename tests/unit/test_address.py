"""A page's address keeps where the page is, and loses what is ours, secret or a person's."""

import time

import pytest

from collector.sources import address


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://x.example/p?a=1&b=#top", "https://x.example/p?a=1&b="),
        ("https://u:pass@x.example:8443/p", "https://x.example:8443/p"),
        ("https://x.example/?ctwa_clid=c&cnct_ref=r&CNCT_tracking_id=t&attribution_source=w&fbclid=F", "https://x.example/?fbclid=F"),
        ("https://x.example/?jane@y.example&mail=jane%40y.example&u=jane%2540y.example&ok=1", "https://x.example/?ok=1"),
        ("https://x.example/?access_token=s&Password=s&phone=5511987654321&PHPSESSION=1&page=2", "https://x.example/?page=2"),
        ("https://x.example/?tel=5511987654321&telefone=1&telefono=1&celular=1&mobile=1&correo=1&senha=1&hotel=2", "https://x.example/?hotel=2"),
        ("https://x.example/?a=1&amp;ctwa_clid=c&amp;b=2", "https://x.example/?a=1&b=2"),
        ("https://x.example/orders/jane@y.example/1;a", "https://x.example/orders/-/1;a"),
        ("https://x.example/orders/jane%40y.example", "https://x.example/orders/-"),
        ("https://x.example/@brand/maps/@52.1,4.3", "https://x.example/@brand/maps/@52.1,4.3"),
        ("https://x.example/@@jane@y.example/@brand@2.", "https://x.example/-/@brand@2."),
        ("javascript:alert(1)", None),
        ("https:///p", None),
        ("https://[::1", None),
    ],
)  # fmt: skip
def test_what_of_an_address_is_kept(given: str, kept: str | None) -> None:
    assert address.cleaned(given) == kept


@pytest.mark.parametrize("part", ["a", "@", "a@", "%40", "a.", "@a.b"])
def test_no_path_keeps_it_busy(part: str) -> None:
    began = time.process_time()
    address.cleaned("https://x.example/" + part * 20_000)
    assert time.process_time() - began < 0.5
