"""The pages that a driver sees at the payment provider: pay, confirm with the bank, closed. Plain HTML, no script, made here."""

from __future__ import annotations

from html import escape
from typing import Any

from sandbox.payments.cards import CARDS

_STYLE = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.5rem}label{display:block;margin:.75rem 0 .25rem}input,button{font:inherit;width:100%;box-sizing:border-box;"
    "padding:.6rem;min-height:2.75rem}button{margin-top:.75rem}.error{border-left:.3rem solid #a3161b;padding-left:.75rem}"
    ".note{border-left:.3rem solid #8a4b00;padding-left:.75rem}"
)
_NOTE = "<p class='note'>Sandbox: no real card, no real money. Type one of Stripe's test cards, never your own.</p>"


def page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def amount(cents: int | None, currency: str | None) -> str:
    return "" if cents is None else f"{cents / 100:.2f} {(currency or '').upper()}"


def pay(session: dict[str, Any], error: str | None = None) -> str:
    """The Checkout page: the fields of a card, Pay, and the way back."""
    setup = session["mode"] == "setup"
    title = "Save a card" if setup else f"Pay {amount(session['amount_total'], session['currency'])}"
    note = "" if setup or not _is_hold(session) else "<p>The amount is held now. Only what you use is charged.</p>"
    wrong = f"<p class='error' role='alert'>{escape(error)}</p>" if error else ""
    options = "".join(f"<option value='{number}'>" for number in CARDS)
    return page(
        title,
        f"{_NOTE}{note}{wrong}<form method='post'>"
        "<label for='number'>Card number</label>"
        "<input id='number' name='number' list='cards' inputmode='numeric' autocomplete='off' value='4242424242424242' required>"
        f"<datalist id='cards'>{options}</datalist>"
        f"<button name='do' value='pay'>{'Save' if setup else 'Pay'}</button>"
        "<button name='do' value='leave' formnovalidate>Leave without paying</button></form>",
    )


def _is_hold(session: dict[str, Any]) -> bool:
    return (session.get("_payment_intent_data") or {}).get("capture_method") == "manual"


def bank() -> str:
    return page(
        "Your bank asks: is it you?",
        f"{_NOTE}<form method='post'><button name='do' value='confirm'>Yes, it is me</button>"
        "<button name='do' value='refuse'>No</button></form>",
    )


def closed(status: str) -> str:
    words = "This page has been paid." if status == "complete" else "This page has expired. Ask for a new link."
    return page("Nothing to pay here", f"<p>{words}</p>")
