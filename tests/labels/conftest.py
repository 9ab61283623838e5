"""What the tests of labels may ask for."""

from tests.features.conftest import page

__all__ = ["page"]
