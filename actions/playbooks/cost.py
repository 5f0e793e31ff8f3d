"""What a session costs so far by the posted tariff. Pure; the bill itself is made elsewhere."""

from __future__ import annotations

from actions.bridge import Tariff


def cost_so_far(tariff: Tariff, energy_wh: float, seconds: float) -> float | None:
    """In the currency's main unit, without idle fees; None where the tariff names no price."""
    prices = (tariff.price_per_kwh, tariff.price_per_minute, tariff.session_fee)
    if all(price is None for price in prices):
        return None
    per_kwh, per_minute, fee = (price or 0.0 for price in prices)
    return fee + per_kwh * energy_wh / 1000 + per_minute * seconds / 60


def money_words(amount: float, tariff: Tariff) -> str:
    """ "3.20 CAD": an amount and a currency that nobody can take for another."""
    return f"{amount:.2f} {tariff.currency}"
