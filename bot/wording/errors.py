"""What can be wrong with words; drawn in the package's docstring."""


class WordingError(Exception):
    """A response key that does not exist, or a placeholder that nobody fills."""


class ResponsesError(WordingError):
    """Files of responses that cannot be used. The message is one `file:line: reason` per fault."""
