"""What playbooks see of payments: a cashier, or none where no payment system is connected."""

from __future__ import annotations

from dataclasses import dataclass

from actions.payments.cashier import Cashier


@dataclass(frozen=True, slots=True)
class Payments:
    cashier: Cashier | None = None


# Nothing is known of any payment then, and that is what drivers are told.
NoPayments = Payments
