"""Connectors: one file per source system. See syncd.connector for the contract."""
