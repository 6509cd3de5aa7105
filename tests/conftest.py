"""How properties are searched: the same examples in every run by default, new ones when somebody goes looking.

A default run that fails must fail for everybody. `make explore` tries new examples, and many more of them.
"""

from __future__ import annotations

from hypothesis import settings

# Without deadlines: how long one example takes says nothing on a machine that runs other things.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=3000)
settings.load_profile("steady")
