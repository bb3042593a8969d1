"""Examples in decorators, which are tests too."""
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional


@dataclass
class Example:
    """What goes in, and what must come out.

    `given` are fields of the event or command. For an event `commands` are the commands expected (the fields named are
    compared), `outcome` is `ack`, `retry` or `reject`, and `state` the state before and `new_state` after it. For a
    check `changes` are the fields changed, and `refused` is the code of a refusal.
    """

    given: Dict[str, Any]
    commands: List[Dict[str, Any]] = field(default_factory=list)
    outcome: str = "ack"
    code: Optional[str] = None
    state: Any = None
    new_state: Any = None
    changes: Optional[Dict[str, Any]] = None
    refused: Optional[str] = None
    config: Dict[str, Any] = field(default_factory=dict)
