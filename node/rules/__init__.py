"""What leaves and what comes in: one rule set format, evaluated in both directions."""
