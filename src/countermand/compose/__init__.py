"""Where everything meets: the adapters, the engine and the dialects, put together by hand."""

from countermand.compose.serve import EXIT_HUNG, serve

__all__ = ["EXIT_HUNG", "serve"]
