"""Files that tenants send: fetched from the providers that hold them, or uploaded on a page that a signed link opens."""

from bot.attachments.fetching import Fetching
from bot.attachments.upload import UPLOAD, UploadPage

__all__ = ["UPLOAD", "Fetching", "UploadPage"]
