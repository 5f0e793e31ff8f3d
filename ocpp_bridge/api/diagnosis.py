"""`GET /v1/chargers/{id}/diagnosis` and `GET /v1/authorizations`: what the playbooks read before they decide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request

from chargeline.web import Problem, json_response
from ocpp_bridge.api.reading import argument, number_argument
from ocpp_bridge.api.reads import charger_or_404
from ocpp_bridge.api.shapes import charger_json, last4, session_json
from ocpp_bridge.diagnosis.causes import Cause, likely_causes
from ocpp_bridge.diagnosis.facts import Facts, SitePicture, gather
from ocpp_bridge.model import Attempt, Command
from ocpp_bridge.picture import Picture

if TYPE_CHECKING:
    from ocpp_bridge.api.app import App, Services

LOOK_BACK_S = 15 * 60.0
LONGEST_LOOK_BACK_S = 30 * 24 * 3600.0


def add_routes(app: App, services: Services) -> None:
    keys, picture, store, clock = services.keys, services.picture, services.store, services.clock

    @app.get("/v1/chargers/<charger_id:str>/diagnosis", name="diagnosis", unquote=True)
    async def diagnosis(request: Request, charger_id: str) -> HTTPResponse:
        keys.require(request, "driver")
        charger = charger_or_404(picture, charger_id)
        connector = argument(request, "connector")
        number = int(number_argument(request, "connector", 1, 1, 999)) if connector is not None else None
        await services.recorder.flush()  # a card tapped a moment ago counts
        driver, token = argument(request, "driver"), argument(request, "token")
        facts = await gather(charger, number, token, driver, store, picture, clock.now())
        return json_response(diagnosis_json(facts, picture))

    @app.get("/v1/authorizations", name="authorizations")
    async def authorizations(request: Request) -> HTTPResponse:
        keys.require(request, "driver")
        driver, charger = argument(request, "driver"), argument(request, "charger")
        since_s = number_argument(request, "since_s", LOOK_BACK_S, 0, LONGEST_LOOK_BACK_S)
        if driver is None and charger is None:
            raise Problem(400, "bad-argument", "Say whose or where: ?driver=<id> or ?charger=<id>.")
        await services.recorder.flush()
        own = [token.id for token in await store.tokens_of(driver)] if driver is not None else []
        rows = await store.attempts_of(own) if driver is not None else await store.attempts(charger or "", 50)
        now = clock.now()
        kept = [row for row in rows if charger in (None, row.charger) and row.at >= now - timedelta(seconds=since_s)]
        return json_response({"authorizations": [attempt_json(row, own, picture, now) for row in kept]})


def attempt_json(attempt: Attempt, own: Iterable[str], picture: Picture, now: datetime) -> dict[str, Any]:
    """`token` is there only where it is the asking driver's own."""
    mine = attempt.token.casefold() in {token.casefold() for token in own}
    charger = picture.charger(attempt.charger)
    return {
        "charger": attempt.charger,
        "label": charger.label if charger else None,
        "connector": attempt.connector,
        "own": mine,
        "token": attempt.token if mine else None,
        "token_last4": last4(attempt.token),
        "answer": attempt.answer,
        "via": attempt.via,
        "at": attempt.at,
        "age_s": round(max(0.0, (now - attempt.at).total_seconds()), 1),
    }


def diagnosis_json(facts: Facts, picture: Picture) -> dict[str, Any]:
    link, session = facts.connectivity, facts.session
    shown = charger_json(facts.charger, picture, facts.now)
    own = [token.id for token in facts.own_tokens]
    return {
        "charger": facts.charger.id,
        "label": facts.charger.label,
        "at": facts.now,
        "connectivity": {
            **shown["connection"],
            "state": link.state,
            "last_pong_at": link.last_pong_at,
            "last_pong_age_s": _rounded(facts.age_s(link.last_pong_at)),
            "latency_ms": _rounded(link.latency_s * 1000 if link.latency_s is not None else None),
        },
        "boot": shown["boot"],
        "vendor": shown["vendor"],
        "model": shown["model"],
        "firmware": shown["firmware"],
        "protocol": shown["protocol"],
        "status": shown["status"],
        "error_code": shown["error_code"],
        "connector": facts.connector,
        "connectors": shown["connectors"],
        "session": {**session_json(session, picture), "own": facts.is_own(session)} if session else None,
        "own_sessions_elsewhere": [session_json(row, picture) for row in facts.own_sessions_elsewhere],
        "authorizations": [attempt_json(row, own, picture, facts.now) for row in facts.attempts],
        "local_list_version": facts.local_list_version,
        "commands": [_command_json(command, facts.driver) for command in reversed(facts.commands)],
        "site": _site_json(facts.site),
        "hold": {"reason": facts.hold.reason, "at": facts.hold.at} if facts.hold else None,
        "causes": [_cause_json(cause) for cause in likely_causes(facts)],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _cause_json(cause: Cause) -> dict[str, Any]:
    rows = [{"fact": row.fact, "value": row.value, "at": row.at} for row in cause.evidence]
    return {"cause": cause.cause, "confidence": cause.confidence, "evidence": rows}


def _command_json(command: Command, driver: str | None) -> dict[str, Any]:
    """Without who asked: another driver's business stays theirs."""
    return {
        "id": command.id,
        "action": command.action,
        "connector": command.connector,
        "own": driver is not None and command.actor.driver == driver,
        "state": command.state,
        "outcome": command.outcome,
        "answer": command.answer,
        "refused": command.refused,
        "created_at": command.created_at,
        "finished_at": command.finished_at,
    }


def _site_json(found: SitePicture) -> dict[str, Any]:
    return {
        "id": found.site.id if found.site else None,
        "name": found.site.name if found.site else None,
        "chargers": found.chargers,
        "gone": list(found.gone),
        "never_connected": list(found.never),
        "out_of_order": list(found.out_of_order),
        "free": list(found.free),
    }
