"""Where everything meets: two roots put a venue together by hand, and `serve` runs it."""

from countermand.app.serve import EXIT_HUNG, serve

__all__ = ["EXIT_HUNG", "serve"]
