"""The stand-in for Stripe as scenarios use it: payments that were made before, a driver's hands on the payment page, the judge's eyes.

Every payment of the product and of scenarios carries the charger in its metadata, which is how each scenario finds its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urljoin

import httpx

from sandbox.conversations.history import Payment

CURRENCY = "cad"
LINK = re.compile(r"https?://\S+/pay/\w+|https?://\S+/(?:c/pay|bank)/\w+")
# What a scenario may have a card do: the test method that does it through the API, and the number that does it on a page.
CARDS: Mapping[str, tuple[str, str]] = {
    "good": ("pm_card_visa", "4242424242424242"),
    "no_money": ("pm_card_visa_chargeDeclinedInsufficientFunds", "4000000000009995"),
    "declined": ("pm_card_visa_chargeDeclined", "4000000000000002"),
    "lost": ("pm_card_visa_chargeDeclinedLostCard", "4000000000009987"),
    "stolen": ("pm_card_visa_chargeDeclinedStolenCard", "4000000000009979"),
    "fraudulent": ("pm_card_radarBlock", "4100000000000019"),
    "expired": ("pm_card_chargeDeclinedExpiredCard", "4000000000000069"),
    "wrong_code": ("pm_card_chargeDeclinedIncorrectCvc", "4000000000000127"),
    "busy": ("pm_card_chargeDeclinedProcessingError", "4000000000000119"),
    "bank_check": ("pm_card_authenticationRequired", "4000002760003184"),
}


class NoLink(Exception):
    """There was no page to pay on; the message says what was found in its place."""


class Wallet:
    """Talks to the stand-in. Raises httpx.HTTPError."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http

    # --- before the first word
    async def save_card(self, driver: str, card: str) -> None:
        """The card that payments without the driver go to from now on."""
        customer = await self._customer(driver)
        method = CARDS[card][0]
        made = await self._call("POST", f"payment_methods/{method}/attach", {"customer": customer})
        await self._call("POST", f"customers/{customer}", {"invoice_settings[default_payment_method]": made["id"]})

    async def pay_before(self, driver: str, charger: str, card: str, cents: int, *, taken: bool) -> None:
        """As the operator's app or terminal does it: a hold, or money that is taken; a card that says no leaves its decline."""
        fields = {
            "amount": str(cents),
            "currency": CURRENCY,
            "customer": await self._customer(driver),
            "payment_method": CARDS[card][0],
            "capture_method": "automatic" if taken else "manual",
            "confirm": "true",
            "return_url": "http://localhost/",
            "metadata[charger]": charger,
        }
        await self._call("POST", "payment_intents", fields, may_decline=True)

    async def _customer(self, driver: str) -> str:
        found = await self._call("GET", "customers/search", {"query": f"metadata['driver']:'{driver}'"})
        return str(found["data"][0]["id"])

    async def _call(
        self, method: str, path: str, fields: Mapping[str, str], *, may_decline: bool = False
    ) -> dict[str, Any]:
        how = {"params": dict(fields)} if method == "GET" else {"data": dict(fields)}
        answer = await self._http.request(
            method,
            f"{self._url}/v1/{path}",
            headers={"Authorization": "Bearer sk_test_scenario"},
            **how,  # type: ignore[arg-type]  # httpx has a parameter for each of the two
        )
        if not (may_decline and answer.status_code == 402):
            answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    # --- a driver's hands
    async def pay(self, link: str, card: str, *, confirms: bool = True) -> None:
        """Opens the link, types the card, and answers the bank where it asks. Raises NoLink."""
        at, page = await self._open(link)
        if "/bank/" in at:
            await self._bank(at, confirms=confirms)
            return
        if "name='number'" not in page:
            raise NoLink(f"{at} is no page to pay on")
        answer = await self._http.post(at, data={"number": CARDS[card][1], "do": "pay"})
        to = urljoin(at, answer.headers.get("location", ""))
        if "/bank/" in to:
            await self._bank(to, confirms=confirms)

    async def leave(self, link: str) -> None:
        """Opens the link and goes back without paying. Raises NoLink."""
        at, _ = await self._open(link)
        await self._http.post(at, data={"do": "leave"})

    async def _bank(self, at: str, *, confirms: bool) -> None:
        await self._http.post(at, data={"do": "confirm" if confirms else "refuse"})

    async def _open(self, link: str) -> tuple[str, str]:
        answer = await self._http.get(link, follow_redirects=True)
        if answer.status_code != 200:
            raise NoLink(f"{link} answers {answer.status_code}")
        return str(answer.url), answer.text

    # --- the judge's eyes
    async def payments(self, chargers: Collection[str]) -> tuple[Payment, ...]:
        """All payments for these chargers (ids or labels), as the ledger has them."""
        answer = await self._http.get(f"{self._url}/sandbox/state")
        answer.raise_for_status()
        state = answer.json()
        refunded: dict[str, int] = {}
        for one in state["refund"]:
            refunded[one["payment_intent"]] = refunded.get(one["payment_intent"], 0) + int(one["amount"])
        return tuple(
            payment_from(row, refunded.get(row["id"], 0))
            for row in state["payment_intent"]
            if row["metadata"].get("charger", "").removeprefix("CL-") in chargers
        )


def payment_from(row: Mapping[str, Any], refunded: int) -> Payment:
    held = row["status"] == "requires_capture"
    return Payment(
        id=row["id"],
        charger=str(row["metadata"]["charger"]).removeprefix("CL-"),
        status=row["status"],
        amount=row["amount"],
        held=row["amount"] if held else 0,
        received=row["amount_received"],
        refunded=refunded,
        let_go=row["status"] == "canceled" and row["latest_charge"] is not None,
        ours="payment" in row["metadata"],
    )


def link_in(text: str) -> str | None:
    """The last address in it on which something can be paid or confirmed."""
    found = LINK.findall(text)
    return found[-1].rstrip(".,;)") if found else None
