"""The staff console at `/staff`: conversations as they happen, who answers them, what must be done and what was promised."""

from bot.console.pages import Console

__all__ = ["Console"]
