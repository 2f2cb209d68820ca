"""The one exception that means: the user's input is wrong, and here is what to do."""


class InputError(ValueError):
    """Bad input. ``str(error)`` is one clear sentence: what was expected, what was found, what to do."""
