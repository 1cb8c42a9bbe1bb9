"""Numbers of bytes, as people write them."""

from __future__ import annotations

import re

from pgsim.errors import InvalidArgument

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def show_bytes(number: float) -> str:
    """A number of bytes with three digits and a unit."""
    unit = 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.3g} {_UNITS[unit]}"


def read_bytes(option: str, text: str) -> int:
    """The number of bytes that an option says.

    Raises:
        InvalidArgument: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(bytes|b|k|kb|m|mb|g|gb|t|tb)?", text.strip().lower(), re.ASCII)
    size = int(float(match[1]) * 1024 ** "bkmgt".index((match[2] or "b")[0])) if match else 0
    if not 0 < size < 2**63:
        raise InvalidArgument(f"{option} {text!r} is not a size", hint=f"For instance: {option} 500MB, or 2GB.")
    return size
