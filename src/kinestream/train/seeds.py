"""Seeds for every use of randomness, derived from one number and from where in the run they are used.

Nothing random has a state that goes from one step to the next: a run can be taken up at any step, on any number of
processes, and draws what it would have drawn.
"""

import hashlib


def derive_seed(seed: int, *where: int | str) -> int:
    """A seed of 63 bits for one place in a run.

    Example:
        >>> derive_seed(0, "order", 3) == derive_seed(0, "order", 3) != derive_seed(0, "order", 4)
        True
    """
    text = "/".join(str(part) for part in (seed, *where))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
