"""The REST API for other systems at `/api/v1`, and the signed webhooks that tell them what has happened."""
