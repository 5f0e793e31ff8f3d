"""Sends what waits for people, webhook and e-mail, until it is taken: back-off up to ten minutes, given up after a day."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import smtplib
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import httpx
import orjson
import structlog

from actions.desk.desk import Desk
from actions.store.base import ActionStore, Delivery
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 2.0
SWEEP_EVERY_S = 300.0
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 600.0
GIVEN_UP_AFTER = timedelta(hours=24)
TIMEOUT_S = 10.0


class NotDelivered(RuntimeError):
    """It was not taken; it is tried again."""


def signature(secret: str, body: bytes, at: datetime) -> str:
    """`t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, as the bridge signs."""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def retry_delay_s(attempts: int) -> float:
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * float(1 << min(attempts, 16)))


class Deliveries:
    def __init__(
        self, store: ActionStore, clock: Clock, *, webhook_url: str, webhook_secret: str, email_to: str, smtp_url: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._webhook_url = webhook_url
        self._webhook_secret = webhook_secret
        self._email_to = email_to
        self._smtp_url = smtp_url
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S)

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, desk: Desk) -> None:
        """Until cancelled: sends what is due, and closes what was abandoned."""
        swept = float("-inf")
        while True:
            try:
                await self.send_due()
                if self._clock.monotonic() - swept >= SWEEP_EVERY_S:
                    await desk.close_abandoned()
                    swept = self._clock.monotonic()
            except Exception:  # whatever the store or a letter does: the next round must come, people wait for it
                log.exception("deliveries_failed")
            await self._clock.sleep(LOOK_EVERY_S)

    async def send_due(self) -> int:
        """How many were sent."""
        sent = 0
        for delivery in await self._store.due_deliveries(self._clock.now()):
            try:
                await (self._post(delivery) if delivery.kind == "webhook" else self._mail(delivery))
            except NotDelivered as error:
                await self._later(delivery, str(error))
            else:
                sent += 1
                log.info("delivered", delivery=delivery.id, case=delivery.case, kind=delivery.kind)
                await self._store.save_delivery(replace(delivery, state="sent", attempts=delivery.attempts + 1))
        return sent

    async def _later(self, delivery: Delivery, why: str) -> None:
        now, attempts = self._clock.now(), delivery.attempts + 1
        if now - delivery.created_at > GIVEN_UP_AFTER:
            log.error("delivery_given_up", delivery=delivery.id, case=delivery.case, attempts=attempts, why=why)
            await self._store.save_delivery(replace(delivery, state="given_up", attempts=attempts))
            return
        log.warning("not_delivered", delivery=delivery.id, case=delivery.case, attempts=attempts, why=why)
        wait = timedelta(seconds=retry_delay_s(delivery.attempts))
        await self._store.save_delivery(replace(delivery, attempts=attempts, next_at=now + wait))

    async def _post(self, delivery: Delivery) -> None:
        body = orjson.dumps({"id": delivery.id, **delivery.body})
        signed = signature(self._webhook_secret, body, self._clock.now())
        headers = {"Content-Type": "application/json", "Chargeline-Signature": signed}
        try:
            response = await self._http.post(self._webhook_url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise NotDelivered(type(error).__name__) from error
        if not response.is_success:
            raise NotDelivered(f"answered {response.status_code}")

    async def _mail(self, delivery: Delivery) -> None:
        try:
            await asyncio.to_thread(send_mail, self._smtp_url, letter(delivery, self._email_to))
        except (OSError, smtplib.SMTPException) as error:
            raise NotDelivered(type(error).__name__) from error


def letter(delivery: Delivery, to: str) -> EmailMessage:
    """The message to the operator's people; its id makes a repeated one recognisable."""
    case, found = delivery.body["case"], EmailMessage()
    kind = "message in" if delivery.body["type"] == "case.message" else "case"
    found["Subject"] = f"Chargeline {kind} {case['problem']} at {case['charger'] or 'an unknown charger'}"
    found["From"] = "chargeline@localhost"
    found["To"] = to
    found["Message-ID"] = f"<{hashlib.sha256(delivery.id.encode()).hexdigest()[:32]}@chargeline>"
    told = delivery.body.get("summary") or delivery.body["message"]["text"]
    lines = [f"{line['by']}: {line['text']}" for line in case.get("transcript", [])]
    found.set_content(
        "\n\n".join([str(told), "\n".join(lines), f"Case {case['id']}, conversation {case['conversation']}"])
    )
    return found


def send_mail(url: str, message: EmailMessage) -> None:
    """`url`: smtp://[user:password@]host[:port] (STARTTLS where offered) or smtps://…. Raises OSError or SMTPException."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_S)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_S)
    with server:
        server.ehlo()
        if parts.scheme != "smtps" and server.has_extn("starttls"):
            server.starttls()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
