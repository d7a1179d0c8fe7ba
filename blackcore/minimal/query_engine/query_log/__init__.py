"""What an engine is asked, kept between processes, so that a new one can be warmed."""

from .background import in_background, is_in_background
from .log import QueryLog, default_path
from .questions import LoggedQuestion

__all__ = ["LoggedQuestion", "QueryLog", "default_path", "in_background", "is_in_background"]
