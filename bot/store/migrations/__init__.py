"""Forward-only schema changes, each safe while the version before it is still running."""
