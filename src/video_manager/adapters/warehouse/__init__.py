"""The SQL warehouse: one adapter, for SQLite and PostgreSQL alike."""

from video_manager.adapters.warehouse.address import sqlite_url
from video_manager.adapters.warehouse.database import SqlWarehouse

__all__ = ["SqlWarehouse", "sqlite_url"]
