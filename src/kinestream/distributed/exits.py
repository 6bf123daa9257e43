"""How a command ends: its exit status."""

FAILED = 1
"""Work that cannot be done."""
LOST = 3
"""Another process of the same command is gone."""
INTERRUPTED = 130
"""Asked to stop."""

GO_ON = "what was written is whole: give the same command again, a training with --resume"
"""What to do when a process was lost."""


class LostContactError(ConnectionError):
    """Another process of this command is gone."""
