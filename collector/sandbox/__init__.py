"""A stand-in for Meta's Graph and for Connectly, and a demo shop, so that everything runs with nothing configured.

It is written from their documentation alone and imports nothing else of this project: what it shared with the collector,
it could not find wrong.
"""

from .app import create_sandbox as create_sandbox
