"""OCPP 1.6J as a charger speaks it."""
