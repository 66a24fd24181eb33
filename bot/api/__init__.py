"""The REST API for other systems at `/api/v1`, and the signed webhooks that tell them what has happened."""

from bot.api.service import Api
from bot.api.webhooks import Webhooks

__all__ = ["Api", "Webhooks"]
