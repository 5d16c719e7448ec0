"""What a board's console says when it cannot reach the broker, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ADVICE = (
    (
        r"^.*join .*: wrong password",
        "the Wi-Fi network refuses the password: run the command again with the right one",
    ),
    (
        r"no such network|wifi: no network",
        "the Wi-Fi network is not heard: check its name (letter by letter), that it is 2.4 GHz, and the distance",
    ),
    (r"ethernet: no network|no link", "there is no Ethernet: check the cable, the switch and the name of the board"),
    (
        r"wrong user name or password",
        "the broker refuses the board's password: was it rotated or removed meanwhile? Run the command again",
    ),
    (
        r"certificate|X509|CERT_VERIFY",
        "the board does not accept the broker's certificate: make one for the address it uses with svitlo broker tls",
    ),
    (
        r"link: (\[Errno|-\d|.*(ECONN|EHOST|ENET|ETIMEDOUT)|no answer)",
        "the board is in the network, but does not reach the broker: check that svitlo up runs with --lan, the "
        "broker's address in the line above, and this computer's firewall (port 1883, or 8883 with --tls)",
    ),
    (r"config\.json", "the board does not accept its configuration; the line above says why"),
    (r"Traceback|\w+Error: ", "the firmware fell over: run the command again with --erase"),
)
"""What the console says, by regular expression, and what to do: the last line that fits counts."""


def advise(lines: Iterable[str]) -> str | None:
    """What to do next, from the last telling line; None when none tells."""
    found = None
    for line in lines:
        for pattern, advice in _ADVICE:
            if re.search(pattern, line, re.IGNORECASE):
                found = advice
                break
    return found
