"""What the launcher starts: the board's life, or the reason why it cannot begin."""

import settings
from supervisor import Supervisor


def run():
    """0 after a goodbye, 1 when config.json cannot be used."""
    try:
        config = settings.load()
    except settings.ConfigError as error:
        print("%s: %s" % (settings.PATH, error))
        return 1
    Supervisor(config).run()
    return 0
