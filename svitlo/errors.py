"""The one family of exceptions.

SvitloError
├── ConfigurationError      a setting is missing or wrong; the text says which and what to write instead
├── UserError               what was asked cannot be done as asked (unknown site, name taken ...)
│   ├── NotFoundError
│   └── AlreadyExistsError
├── DatabaseUnavailableError  PostgreSQL does not answer; trying again may help
├── BrokerUnavailableError    the MQTT broker does not answer; trying again may help
│   └── BrokerRefusedError    it answered no: wrong credential, or a right is missing
├── AccountError            the broker's account plugin refused a command
├── StackError              the embedded stack cannot start or was not found
└── FlashError              a board could not be written over USB (in svitlo.flashing)

`svitlo.contracts` has a `ContractError` of its own, since it imports nothing of ours.
"""

from __future__ import annotations


class SvitloError(Exception):
    """Base of every error raised on purpose; its text is fit to show to the person at the terminal."""


class ConfigurationError(SvitloError):
    """A setting is missing or wrong."""


class UserError(SvitloError):
    """The request cannot be carried out as given."""


class NotFoundError(UserError):
    """The named thing does not exist."""


class AlreadyExistsError(UserError):
    """The name is taken."""


class DatabaseUnavailableError(SvitloError):
    """PostgreSQL does not answer."""


class BrokerUnavailableError(SvitloError):
    """The MQTT broker does not answer."""


class BrokerRefusedError(BrokerUnavailableError):
    """The MQTT broker refused the connection or the subscription."""


class AccountError(SvitloError):
    """The broker's account plugin refused a command."""


class StackError(SvitloError):
    """The embedded stack cannot start, or none is running."""
