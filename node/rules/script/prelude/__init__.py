"""What a script finds in its box: ``issue``, ``replica``, the helpers. The text of these files runs INSIDE the sandbox.

Written for the interpreter of ``pydantic-monty``, which is a part of Python: no inheritance, no decorators, no
``__getattr__``. The node reads these files as text (``program``: one text, without docstrings and annotations) and
never calls them, except a test and a bench that compare them with bare Python. Whatever they promise is for the
comfort of people who write rules: nothing in here is a wall, since a script shares the interpreter with it. The walls
are outside (``confine``) and in what the host answers (``asking``).

``_ask(index, name, *arguments)`` is the only way out; the host answers it. ``_state`` is what one evaluation knows.
Names begin with ``_`` where a script must not use them: the check refuses such names.
"""
