"""Where a driver is, which plug they need, and which charger to send them to. Pure: no HTTP, no clock, no Rasa."""
