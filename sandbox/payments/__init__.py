"""A stand-in for Stripe: the part of its HTTP API that Chargeline uses, with state, as a process of its own.

It is reached through Stripe's own client, so what runs against it runs against Stripe. No real card, no real money.
"""
