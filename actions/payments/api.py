"""Payments over the action server's HTTP API: where a link leads (for the front door), and what people see and pay back."""

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request, Sanic

from actions.payments.cashier import Cashier
from actions.payments.gateway import PaymentsError
from actions.payments.ledger import Purchase, State, as_json
from chargeline.web import Problem, bearer_key, json_object, json_response, same_secret


def add_routes(app: Sanic[Any, Any], cashier: Cashier, *, actions_key: str, operator_key: str) -> None:
    def require(request: Request, key: str) -> None:
        if not same_secret(bearer_key(request), key):
            raise Problem(401, "wrong-key", "This key does not open this.")

    async def purchase_of(purchase_id: str) -> Purchase:
        found = await cashier.store.get(purchase_id)
        if found is None:
            raise Problem(404, "unknown-payment", "There is no such payment.")
        return found

    @app.get("/v1/payments/<purchase_id:str>/page", name="payment_page")
    async def page(request: Request, purchase_id: str) -> HTTPResponse:
        """Where the driver pays; 410 where nothing is to be paid any more."""
        require(request, actions_key)
        purchase = await purchase_of(purchase_id)
        if purchase.state is not State.LINK or purchase.url is None:
            raise Problem(410, "link-over", "Nothing is to be paid here any more.", language=purchase.language)
        return json_response({"url": purchase.url, "language": purchase.language})

    @app.get("/v1/payments", name="payments")
    async def payments(request: Request) -> HTTPResponse:
        require(request, operator_key)
        wanted = {name: request.args.get(name) for name in ("conversation", "driver", "session")}
        return json_response({"payments": [_shown(one) for one in await cashier.store.find(**wanted, limit=200)]})

    @app.get("/v1/payments/<purchase_id:str>", name="payment")
    async def payment(request: Request, purchase_id: str) -> HTTPResponse:
        require(request, operator_key)
        return json_response(_shown(await purchase_of(purchase_id)))

    @app.post("/v1/payments/<purchase_id:str>/refunds", name="refund")
    async def refund(request: Request, purchase_id: str) -> HTTPResponse:
        """A person pays back; the cap is for the bot."""
        require(request, operator_key)
        cents = json_object(request).get("cents")
        if type(cents) is not int or cents <= 0:
            raise Problem(422, "bad-refund", "cents: a whole number above 0 is expected.")
        await purchase_of(purchase_id)
        try:
            return json_response(_shown(await cashier.refund(purchase_id, cents, by_person=True)), 201)
        except ValueError as error:
            raise Problem(409, "nothing-to-refund", str(error)) from None
        except PaymentsError as error:
            raise Problem(502, "payments-away", f"Not known to be paid back; ask again: {error}") from None


def _shown(purchase: Purchase) -> dict[str, Any]:
    hidden = {"attempts", "told", "url", "checkouts"}
    return {name: value for name, value in as_json(purchase).items() if name not in hidden}
