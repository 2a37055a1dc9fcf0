"""The sandbox: one web application that looks like Graph and like Connectly, and shows what it was sent."""

import random
import time
from collections.abc import Callable

from starlette.applications import Starlette

from .connectly import Connectly
from .control import Control
from .destination import Stand
from .graph import Graph
from .page import Page


def create_sandbox(
    any_click: bool = False,
    clock: Callable[[], float] = time.time,
    *,
    thin: bool = False,
    chance: Callable[[], float] = random.random,
) -> Starlette:
    """Builds a sandbox with nothing received yet.

    - `any_click`: accept every click id; else only registered ones, as Meta does.
    - `clock`: Unix seconds, for the age of events.
    - `thin`: check token and dataset only, remember ids and counts only; for load that is about the sender.
    - `chance`: draws from [0, 1) for faults that have a probability.
    """
    stand = Stand(clock, chance, any_click, thin)
    control = Control(stand)
    return Starlette(
        routes=[
            *Page(control).routes(),
            *control.routes(),
            *Connectly(stand).routes(),
            *Graph(stand).routes(),
        ]
    )
