"""Scripts: the part of a rule set that is written in Python syntax, and the closed box in which it runs."""
