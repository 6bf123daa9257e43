"""The most memory that a process of its own has taken."""

PEAK = """
def peak():
    # Of this program alone: ru_maxrss also counts what the process that started it had taken.
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
"""
"""Source of `peak()`, in bytes, for programs that tests run; where the system is not Linux it cannot be told."""
