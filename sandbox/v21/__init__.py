"""OCPP 2.1 as a charger speaks it: 2.0.1 and what 2.1 adds."""
