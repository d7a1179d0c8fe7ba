"""The clock and the loader of the neighbours."""

from tests.integration.conftest import clock, make_loader

__all__ = ["clock", "make_loader"]
