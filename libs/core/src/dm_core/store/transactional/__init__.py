"""The store port on any database that runs functions on plain documents, each in one transaction."""

from dm_core.store.transactional.database import Database, Stored, Transaction
from dm_core.store.transactional.store import TransactionalStore

__all__ = ["Database", "Stored", "Transaction", "TransactionalStore"]
