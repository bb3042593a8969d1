"""Lines of the plugin protocol, version 1: limits, encoding and decoding. No I/O."""
import json
from typing import Any, Dict

#: The version of the protocol that this library speaks.
PROTOCOL = 1
#: The longest line, in bytes, without its LF.
MAX_LINE = 1 << 20
#: The largest state of a queue, in bytes of JSON.
MAX_STATE = 64 << 10
#: Exit status: the configuration is wrong; the plugin stays down until it changes.
EXIT_CONFIGURATION = 78
#: Exit status: something outside is missing; try again later.
EXIT_TRY_LATER = 75

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_decoder = json.JSONDecoder()


class LimitError(ValueError):
    """A value exceeds a limit of the protocol. The message says which, and what to do."""


def encode(value: Any) -> str:
    """JSON without blanks. NaN and infinities, which are not JSON, raise ValueError."""
    return _encoder.encode(value)


def decode(line: str) -> Dict[str, Any]:
    """The message in a line of the host."""
    message = _decoder.raw_decode(line)[0]
    if not isinstance(message, dict):
        raise ValueError("a line of the host must be a JSON object")
    return message


def line(message: Dict[str, Any]) -> bytes:
    """A message as a line with its LF. Fields that are None are left out."""
    text = encode({key: value for key, value in message.items() if value is not None})
    # Half a surrogate pair cannot be UTF-8. A replacement keeps the line valid.
    data = text.encode("utf-8", "replace") + b"\n"
    if len(data) > MAX_LINE + 1:
        raise LimitError(f"the '{message.get('type')}' line has {len(data) - 1} bytes; at most {MAX_LINE}: send less")
    return data


def encode_state(queue: str, state: Any) -> str:
    """A queue's state as JSON, within the limit."""
    text = encode(state)
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_STATE:
        raise LimitError(
            f"the state of queue '{queue}' has {size} bytes of JSON; at most {MAX_STATE}: "
            "keep less in it, or write to files in data_dir")
    return text


def cut(text: str, limit: int) -> str:
    """A text of at most `limit` bytes of UTF-8, cut between characters."""
    return str(text).encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
