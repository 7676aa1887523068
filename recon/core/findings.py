"""Problems and notices collected while the whole inventory is looked at, so that all are told at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from recon.errors import ConfigError
from recon.model import Notice


@dataclass(slots=True)
class Findings:
    """What was found so far; each message once."""

    errors: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def error(self, where: str, message: str) -> None:
        """Note a problem that stops the inventory from being used."""
        line = f"{where}: {message}" if where else message
        if line not in self.errors:
            self.errors.append(line)

    def notice(self, where: str, message: str) -> None:
        """Note something a person should know."""
        found = Notice(message, where)
        if found not in self.notices:
            self.notices.append(found)

    def check(self) -> None:
        """Raise ``ConfigError`` with every problem, if there is any."""
        if self.errors:
            raise ConfigError(self.errors)
