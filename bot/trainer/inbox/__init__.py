"""What drivers wrote that is worth a trainer's look: read from the front door, ranked, grouped, and decided on."""
