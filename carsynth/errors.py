"""The one exception that stands for a mistake of the user's."""


class UserError(ValueError):
    """A mistake that its message alone lets the user mend: what is wrong, where, what to do.

    The doors (``carsynth.train`` and its like) print the message as one line and leave with exit
    code 2; everything else keeps its traceback, because it is a fault of carsynth's.
    """
