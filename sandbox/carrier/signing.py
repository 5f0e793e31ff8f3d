"""What the carrier posts, as Twilio and Meta write and sign it. Pure; the fields are those that they really send."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from sandbox.carrier.network import Message


@dataclass(frozen=True, slots=True)
class Account:
    """Names and secrets that both sides know."""

    sid: str
    token: str
    number: str
    phone_number_id: str
    access_token: str
    app_secret: str


@dataclass(frozen=True, slots=True)
class Post:
    url_path: str
    body: bytes
    headers: dict[str, str]


def twilio_signature(token: str, url: str, fields: dict[str, str]) -> str:
    """base64(HMAC-SHA1(token, url + each field's name and value, sorted by name))."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def twilio_post(account: Account, public_url: str, path: str, fields: dict[str, str]) -> Post:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": twilio_signature(account.token, f"{public_url}{path}", fields),
    }
    return Post(path, urlencode(fields).encode(), headers)


def sms_fields(account: Account, message: Message, media_url: str | None) -> dict[str, str]:
    fields = {
        "MessageSid": message.id,
        "SmsMessageSid": message.id,
        "AccountSid": account.sid,
        "From": message.number,
        "To": account.number,
        "Body": message.text,
        "NumMedia": "0",
        "NumSegments": "1",
        "FromCity": "",
        "FromState": "",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
    }
    if message.media is not None and media_url is not None:
        fields |= {"NumMedia": "1", "MediaUrl0": media_url, "MediaContentType0": message.media[1]}
    return fields


def twilio_status(account: Account, message: Message, status: str, code: int | None) -> dict[str, str]:
    fields = {
        "MessageSid": message.id,
        "MessageStatus": status,
        "SmsSid": message.id,
        "SmsStatus": status,
        "AccountSid": account.sid,
        "From": account.number,
        "To": message.number,
        "ApiVersion": "2010-04-01",
    }
    return {**fields, "ErrorCode": str(code)} if code is not None else fields


def meta_post(account: Account, path: str, value: dict[str, Any]) -> Post:
    metadata = {"display_phone_number": account.number.lstrip("+"), "phone_number_id": account.phone_number_id}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    body = orjson.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [{"id": "WABA", "changes": [{"field": "messages", "value": whole}]}],
        }
    )
    digest = hmac.new(account.app_secret.encode(), body, hashlib.sha256).hexdigest()
    return Post(path, body, {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"})


def meta_message(message: Message, user: str, content: dict[str, Any]) -> dict[str, Any]:
    """`content`: its type and the object of that type."""
    phone = message.number.lstrip("+")
    return {
        "contacts": [{"profile": {"name": "Driver"}, "wa_id": phone, "user_id": user}],
        "messages": [
            {
                "from": phone,
                "from_user_id": user,
                "id": message.id,
                "timestamp": str(int(message.at.timestamp())),
                **content,
            }
        ],
    }


def meta_status(message: Message, status: str, code: int | None, at: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": message.id,
        "status": status,
        "timestamp": str(int(at)),
        "recipient_id": message.number.lstrip("+"),
    }
    if message.entry is not None:
        row["biz_opaque_callback_data"] = message.entry
    if code is not None:
        row["errors"] = [{"code": code, "title": "Message undeliverable"}]
    return {"statuses": [row]}
