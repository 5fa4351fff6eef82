"""Other addresses: a service that listens on several, one behind a translation of addresses, and
who may come in.
"""

from __future__ import annotations

import aiohttp
import pytest
from service_caller import SESSION, Caller

from app.sim.service import Service
from app.sim.service.ice import without_names
from app.sim.service.lan import is_near, is_this_computer, pairing_token, private_addresses

NEAR = ("127.0.0.1", "10.1.2.3", "192.168.0.9", "172.31.0.1", "169.254.1.1", "::1", "fe80::1%eth0")
FAR = (
    "8.8.8.8",
    "172.32.0.1",
    "100.64.0.1",
    "2606:4700::1",
    "",
    None,
    "example.com",
    "::ffff:8.8.8.8",
)


def test_near_and_far():
    assert [address for address in NEAR if not is_near(address)] == []
    assert [address for address in FAR if is_near(address)] == []
    assert is_near("::ffff:192.168.0.9")
    assert is_this_computer("127.0.0.1")
    assert not is_this_computer("192.168.0.9")
    assert all(is_near(a) and not a.startswith("127.") for a in private_addresses())
    assert pairing_token() != pairing_token()
    assert len(pairing_token()) == len("sk-parley-") + 20


async def test_another_address_and_only_the_token():
    """127.0.0.2 stands for the address in the network: Linux answers to all of 127/8."""
    token = pairing_token()
    service = Service(keys=frozenset({token}), also=("127.0.0.2",))
    await service.start()
    [url] = service.lan_urls
    assert url == service.base_url.replace("127.0.0.1", "127.0.0.2")
    async with aiohttp.ClientSession() as http:
        for key, status in ((token, 200), ("sk-test", 401), ("", 401)):
            headers = {"Authorization": f"Bearer {key}"}
            async with http.post(f"{url}/realtime/client_secrets", headers=headers) as answer:
                assert answer.status == status
        headers = {"Authorization": f"Bearer {token}", "Host": "127.0.0.3"}
        async with http.post(f"{url}/realtime/client_secrets", headers=headers) as answer:
            assert answer.status == 403
        where = f"{service.base_url}/realtime/client_secrets"
        async with http.post(where, params={"api_key": token}) as answer:
            assert answer.status == 401
    async with Caller(url, key=token) as caller:
        await caller.by_secret()
        await caller.until("session.created")
    await service.stop()


async def test_a_taken_second_address_leaves_nothing_open():
    first = Service()
    await first.start()
    port = int(first.base_url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="address"):
        await Service(host="127.0.0.2", port=port, also=("127.0.0.1",)).start()
    again = Service(host="127.0.0.2", port=port)
    await again.start()
    await again.stop()
    await first.stop()


async def test_the_advertised_address_is_where_callers_go():
    """The loopback stands for the way in; the offer's candidates lead nowhere, as a guest's do."""
    service = Service(advertise="127.0.0.1")
    await service.start()
    async with Caller(service.base_url) as caller:
        offer = caller.offer

        async def guests_offer() -> str:
            sdp = await offer()
            return "".join(
                _elsewhere(line) if "a=candidate" in line else line
                for line in sdp.splitlines(keepends=True)
            )

        caller.offer = guests_offer
        await caller.by_parts()
        candidates = [line.split() for line in caller.answer.splitlines() if "a=candidate" in line]
        assert {words[4] for words in candidates} == {"127.0.0.1"}
        await caller.until("session.created")
        caller.send("response.create")
        await caller.until_sound()
    await service.stop()


def _elsewhere(candidate: str) -> str:
    words = candidate.split(" ")
    words[4], words[5] = "127.0.0.1", "9"
    return " ".join(words)


async def test_host_may_be_the_advertised_address():
    service = Service(advertise="10.0.2.2")
    await service.start()
    headers = {"Authorization": "Bearer sk-x", "Host": "10.0.2.2:8080"}
    url = f"{service.base_url}/realtime/client_secrets"
    async with aiohttp.ClientSession() as http, http.post(url, headers=headers) as answer:
        assert answer.status == 200
    await service.stop()


OFFER = (
    "v=0\r\nm=audio 9 x 0\r\na=ice-ufrag:abcd\r\n"
    "a=candidate:1 1 udp 1 4b5c.local 5000 typ host\r\n"
    "a=candidate:2 1 udp 1 192.168.1.2 5001 typ host\r\na=end-of-candidates\r\n"
)


def test_names_are_taken_out_of_an_offer():
    some = without_names(OFFER)
    assert "192.168.1.2" in some
    assert ".local" not in some
    only_names = OFFER.replace("192.168.1.2", "77aa.LOCAL")
    for none in (without_names(OFFER, keep=False), without_names(only_names)):
        assert none.count("a=candidate") == 1
        assert "127.0.0.1 9 typ host" in none
        assert "end-of-candidates" not in none


async def test_an_offer_of_names_only_connects():
    """What a browser sends that may not show its addresses."""
    service = Service()
    await service.start()
    async with Caller(service.base_url) as caller:
        offer = caller.offer

        async def browsers_offer() -> str:
            sdp = await offer()
            lines = []
            for line in sdp.splitlines(keepends=True):
                words = line.split(" ")
                if "a=candidate" in line:
                    words[4] = "5b1c9a2e-0000-4000-8000-000000000000.local"
                lines.append(" ".join(words))
            return "".join(lines)

        caller.offer = browsers_offer
        await caller.by_secret(SESSION)
        await caller.until("session.created")
    await service.stop()


async def test_ufrag_and_password_have_the_real_shape():
    service = Service()
    await service.start()
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        ufrags = {line for line in caller.answer.splitlines() if "a=ice-ufrag:" in line}
        passwords = {line for line in caller.answer.splitlines() if "a=ice-pwd:" in line}
        assert len(ufrags) == len(passwords) == 1
        assert "/u" in ufrags.pop()
        assert len(passwords.pop()) == len("a=ice-pwd:") + 32
        await caller.until("session.created")
    await service.stop()
