"""What a session costs by the posted tariff, in cents, and how money is written. Pure; taxes are the operator's business."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from actions.bridge import Session, Tariff


def is_priced(tariff: Tariff | None) -> bool:
    """Whether the tariff asks for money at all."""
    return tariff is not None and any((tariff.price_per_kwh, tariff.price_per_minute, tariff.session_fee))


def cost_cents(tariff: Tariff, energy_wh: float | None, seconds: float) -> int:
    """The session's cost, rounded half up to a cent. Nothing delivered costs nothing, whatever the tariff says of time and fees."""
    if not energy_wh or energy_wh <= 0:
        return 0
    total = _money(tariff.session_fee) + _money(tariff.price_per_kwh) * Decimal(str(energy_wh)) / 1000
    total += _money(tariff.price_per_minute) * Decimal(str(max(0.0, seconds))) / 60
    return int((total * 100).to_integral_value(ROUND_HALF_UP))


def cost_of(tariff: Tariff, session: Session) -> int:
    """The cost of a session that has ended."""
    seconds = 0.0
    if session.started_at is not None and session.ended_at is not None:
        seconds = (session.ended_at - session.started_at).total_seconds()
    return cost_cents(tariff, session.energy_wh, seconds)


def _money(amount: float | None) -> Decimal:
    return Decimal(str(amount)) if amount else Decimal(0)


def money(cents: int, currency: str) -> str:
    """ "40.00 CAD"."""
    return f"{cents // 100}.{cents % 100:02d} {currency.upper()}"


def price_words(tariff: Tariff) -> str:
    """ "0.26 CAD/kWh + 0.50 CAD" as posted; "" where nothing is asked for."""
    parts = [
        f"{_plain(amount)} {tariff.currency.upper()}{unit}"
        for amount, unit in (
            (tariff.price_per_kwh, "/kWh"),
            (tariff.price_per_minute, "/min"),
            (tariff.session_fee, ""),
        )
        if amount
    ]
    return " + ".join(parts)


def _plain(amount: float) -> str:
    """At least two places, more where the tariff has them: 0.26, 0.025."""
    text = format(Decimal(str(amount)).normalize(), "f")
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.ljust(2, '0')}"
