"""OCPP versions: each is one table from action to schema, handler and translation into the bridge's own words."""
