"""The chargers' side: accepting WebSockets, who may in, one connection per charger, frames to handlers and calls out."""
