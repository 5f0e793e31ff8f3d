"""OCPP 2.0.1 as a charger speaks it; 2.1 stands on it."""
