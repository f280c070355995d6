"""The SQL warehouse: one adapter, written for SQLite and PostgreSQL alike."""

from video_manager.adapters.warehouse.database import SqlWarehouse, sqlite_url

__all__ = ["SqlWarehouse", "sqlite_url"]
