"""The base of every error whose message is for the user."""


class UserError(Exception):
    """The message says in one sentence what is wrong, and what to do next. It is shown without a traceback."""


class Locked(UserError):
    """Another process holds the lock; the message says which."""
