"""Reads a plugin's `[config]`, noting each mistake with its path. No I/O."""
from typing import Any, Dict, List, Optional, Sequence, Tuple


class ConfigError(Exception):
    """A mistake in the configuration: the path of the key, as `lists[0].size`, and what is wrong with it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path, self.message = path, message


class Config:
    """One table of the configuration.

    Each reader returns a value of the right type and notes a mistake instead of raising, so that all mistakes are shown
    at once. Keys that nobody has read when `configure` returns are mistakes too.
    """

    def __init__(self, table: Dict[str, Any], path: str = "", problems: Optional[List[ConfigError]] = None) -> None:
        self._table, self._path = table, path
        self._read: Dict[str, None] = {}
        self._tables: List["Config"] = []
        #: The mistakes found so far, in this table and those inside.
        self.problems: List[ConfigError] = [] if problems is None else problems

    def path(self, key: str) -> str:
        """The whole path of a key of this table."""
        return f"{self._path}.{key}" if self._path else key

    def problem(self, key: str, message: str) -> None:
        """Notes a mistake of the plugin's own finding."""
        self.problems.append(ConfigError(self.path(key), message))

    def raw(self, key: str, default: Any = None) -> Any:
        """The value as it is; its parts are not checked."""
        self._read[key] = None
        return self._table.get(key, default)

    def _value(self, key: str, kind: Any, required: bool, words: str) -> Any:
        value = self.raw(key)
        if value is None:
            if required:
                self.problem(key, f"is missing; {words}")
            return None
        # True is an int to Python, but not to a reader of the configuration.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.problem(key, words)
            return None
        return value

    def text(self, key: str, default: Optional[str] = None, *, choices: Optional[Sequence[str]] = None) -> str:
        """A text that is not empty. Without a default it is required."""
        words = "must be a text" if choices is None else "must be one of " + ", ".join(map(repr, choices))
        value = self._value(key, str, default is None, words)
        if value is not None and (not value or (choices is not None and value not in choices)):
            self.problem(key, "must not be empty" if choices is None else words)
        return value or default or ""

    def integer(
        self, key: str, default: Optional[int] = None, *, minimum: Optional[int] = None, maximum: Optional[int] = None
    ) -> int:
        """A whole number within limits. Without a default it is required."""
        words = "must be a whole number"
        if minimum is not None:
            words += f", at least {minimum}"
        if maximum is not None:
            words += f", at most {maximum}"
        value = self._value(key, int, default is None, words)
        if value is None:
            return default if default is not None else 0
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            self.problem(key, words)
        return int(value)

    def flag(self, key: str, default: Optional[bool] = None) -> bool:
        """`true` or `false`. Without a default it is required."""
        value = self._value(key, bool, default is None, "must be true or false")
        return bool(default) if value is None else value

    def texts(self, key: str, default: Optional[Sequence[str]] = None) -> List[str]:
        """A list of texts, none empty. Without a default it is required and has at least one."""
        values = self._value(key, list, default is None, "must be a list of texts")
        if values is None:
            return list(default or ())
        if default is None and not values:
            self.problem(key, "must have at least one text")
        for index, value in enumerate(values):
            if not isinstance(value, str) or not value:
                self.problem(f"{key}[{index}]", "must be a text that is not empty")
        return [value for value in values if isinstance(value, str)]

    def table(self, key: str, required: bool = False) -> "Config":
        """A table inside this one; empty where it is left out."""
        table = Config(self._value(key, dict, required, "must be a table") or {}, self.path(key), self.problems)
        self._tables.append(table)
        return table

    def tables(self, key: str, required: bool = False) -> List["Config"]:
        """A list of tables."""
        values = self._value(key, list, required, "must be a list of tables") or []
        tables = []
        for index, value in enumerate(values):
            if isinstance(value, dict):
                tables.append(Config(value, self.path(f"{key}[{index}]"), self.problems))
            else:
                self.problem(f"{key}[{index}]", "must be a table")
        self._tables += tables
        return tables

    def close(self) -> Tuple[ConfigError, ...]:
        """All mistakes, the keys that nobody read among them."""
        for key in self._table:
            if key not in self._read:
                known = ", ".join(f"'{name}'" for name in self._read)
                self.problem(key, f"is not a key of this plugin; it knows {known}" if known else "is not known here")
        for table in self._tables:
            table.close()
        return tuple(self.problems)
