"""The store: all state of syncd on SQLite or PostgreSQL (DESIGN 4). Imported by wiring only."""

from syncd.store.deliveries import DeliveryJournal as DeliveryJournal
from syncd.store.deliveries import open_journal as open_journal
from syncd.store.sql import SqlStore as SqlStore
from syncd.store.sql import open_reader as open_reader
from syncd.store.sql import open_store as open_store
