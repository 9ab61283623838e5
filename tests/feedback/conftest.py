"""What the tests of feedback may ask for."""

from tests.features.conftest import page

__all__ = ["page"]
