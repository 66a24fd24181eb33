"""Tables, transactions, queries and migrations: the only package that speaks SQL."""

from bot.store.database import SchemaTooOld, Store, StoreClosed, StoreError, open_store

__all__ = ["SchemaTooOld", "Store", "StoreClosed", "StoreError", "open_store"]
