"""What all tests share."""

import os

from hypothesis import settings

# No deadline: the machine may be busy, and time is measured in tests/bench. In continuous integration the examples are the same
# every time, so that a change is judged by what it changed; everywhere else they are drawn anew, and find more.
settings.register_profile("anywhere", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")
