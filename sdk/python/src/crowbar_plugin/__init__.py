"""Write plugins of the Crowbar chat server. The reference is docs/sdk-python.md."""
from .aio import AsyncPlugin
from .config import Config, ConfigError
from .examples import Example
from .sync import Plugin
from .values import Event, HostClosed, Refuse, Refused, Reject, Result, Retry
from .wire import LimitError

__all__ = [
    "AsyncPlugin", "Config", "ConfigError", "Event", "Example", "HostClosed", "LimitError", "Plugin", "Refuse",
    "Refused", "Reject", "Result", "Retry"]
__version__ = "0.1.0"
