"""What can go wrong in learning.

ModelError   the trained model is missing, damaged or made from other examples; or it cannot be trained
"""


class ModelError(Exception):
    """The message says what to run."""
