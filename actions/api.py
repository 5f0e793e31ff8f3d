"""The action server's own HTTP API beside Rasa's webhook: hazards and drivers' words from the front door, cases for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from actions.cases import as_json
from actions.desk.desk import Desk
from actions.hazards import Hazards, report_from
from actions.playbooks.steps import Outcome
from actions.store.base import Filter
from chargeline.web import Problem, bearer_key, json_object, json_response, same_secret

MOST = 500
_OUTCOMES = ("open", *(one.value for one in Outcome))


def add_routes(app: Sanic[Any, Any], hazards: Hazards, desk: Desk, *, actions_key: str, operator_key: str) -> None:
    def require(request: Request, key: str) -> None:
        if not same_secret(bearer_key(request), key):
            raise Problem(401, "wrong-key", "This key does not open this.")

    @app.post("/v1/hazard", name="hazard")
    async def hazard(request: Request) -> HTTPResponse:
        require(request, actions_key)
        try:
            report = report_from(json_object(request))
        except ValueError as error:
            raise Problem(422, "bad-hazard", str(error)) from None
        return json_response(await hazards.handle(report))

    @app.post("/v1/cases/<case_id:str>/messages", name="case_message")
    async def case_message(request: Request, case_id: str) -> HTTPResponse:
        require(request, actions_key)
        body = json_object(request)
        message_id, text = body.get("message_id"), body.get("text")
        if not isinstance(message_id, str) or not 0 < len(message_id) <= 128:
            raise Problem(422, "bad-message", "message_id: 1 to 128 characters are expected.")
        if not isinstance(text, str) or not 0 < len(text) <= 8000:
            raise Problem(422, "bad-message", "text: 1 to 8000 characters are expected.")
        if not await desk.message(case_id, message_id, text, _moment(body.get("at"), "at")):
            raise Problem(404, "unknown-case", "There is no such case.")
        return json_response({"status": "kept"})

    @app.get("/v1/cases", name="cases")
    async def cases(request: Request) -> HTTPResponse:
        require(request, operator_key)
        outcome = request.args.get("outcome")
        if outcome is not None and outcome not in _OUTCOMES:
            raise Problem(400, "bad-argument", f"outcome must be one of {', '.join(_OUTCOMES)}.")
        since = request.args.get("since")
        await desk.close_abandoned()
        wanted = Filter(
            problem=request.args.get("problem"),
            outcome=outcome,
            charger=request.args.get("charger"),
            driver=request.args.get("driver"),
            conversation=request.args.get("conversation"),
            since=_moment(since, "since") if since else None,
            limit=_limit(request.args.get("limit")),
        )
        return json_response({"cases": [as_json(case) for case in await desk.store.cases(wanted)]})

    @app.get("/v1/cases/<case_id:str>", name="case")
    async def case(request: Request, case_id: str) -> HTTPResponse:
        require(request, operator_key)
        found = await desk.store.case(case_id)
        if found is None:
            raise Problem(404, "unknown-case", "There is no such case.")
        return json_response(as_json(found))


def _limit(raw: str | None) -> int:
    if raw is None:
        return 100
    if not raw.isdecimal() or not 1 <= int(raw) <= MOST:
        raise Problem(400, "bad-argument", f"limit must be a whole number from 1 to {MOST}.")
    return int(raw)


def _moment(raw: Any, name: str) -> datetime:
    """An ISO 8601 time; without an offset it is UTC. Raises a 400 Problem."""
    try:
        found = datetime.fromisoformat(raw.replace(" ", "+"))  # a plus sign in a URL arrives as a space
    except (AttributeError, ValueError, TypeError):
        raise Problem(400, "bad-argument", f"{name} must be a time such as 2026-01-31T12:00:00Z.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
