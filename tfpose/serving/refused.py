"""A request that is not done: what the client is told, and whether to come again."""


class Refused(Exception):
    """The HTTP status and the one line that a client gets; `again` after so many seconds it may be otherwise."""

    def __init__(self, status: int, message: str, *, again: int = 0):
        super().__init__(message)
        self.status, self.again = status, again
        self.message = " ".join(message.split())
