"""Money: holds, captures, releases, refunds and payment links through Stripe, each done once, each in a ledger of its own."""
