"""The store on Firestore."""

from dm_core.store.firestore.store import FirestoreStore

__all__ = ["FirestoreStore"]
