"""The tables of a data folder's two files."""

from __future__ import annotations

APPLICATION = 0x43574C31
BANK_APPLICATION = 0x43574C32
VERSION = 2
"""2 added run_traces; all tables are made where they are missing, so 1 becomes 2 at a start."""

MAIN = """
CREATE TABLE IF NOT EXISTS rows (
    collection TEXT NOT NULL, partition TEXT NOT NULL, key TEXT NOT NULL,
    version INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (collection, partition, key)
) STRICT;
CREATE TABLE IF NOT EXISTS entries (
    collection TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, sort TEXT NOT NULL,
    partition TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (collection, name, value, sort, partition, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS indexes (
    collection TEXT NOT NULL, name TEXT NOT NULL, field TEXT NOT NULL, sort TEXT,
    PRIMARY KEY (collection, name)
) STRICT;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, consumer TEXT NOT NULL, item TEXT NOT NULL,
    due REAL NOT NULL, attempts INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_by_due ON deliveries (due, id);
CREATE TABLE IF NOT EXISTS dead_letters (
    place INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL UNIQUE, consumer TEXT NOT NULL,
    item TEXT NOT NULL, error TEXT NOT NULL, attempts INTEGER NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ticks (name TEXT PRIMARY KEY, last REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS mails (
    place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, recipient TEXT NOT NULL,
    subject TEXT NOT NULL, text TEXT NOT NULL, html TEXT, at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS texts (
    place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, recipient TEXT NOT NULL,
    text TEXT NOT NULL, at REAL NOT NULL
) STRICT;
"""
"""The shop's rows, deliveries, schedules and the mailbox."""

BANK = """
CREATE TABLE IF NOT EXISTS charges (
    place INTEGER PRIMARY KEY AUTOINCREMENT, charge_id TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL, status TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    captured INTEGER NOT NULL, refunded INTEGER NOT NULL, reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS charges_by_reference ON charges (reference, place);
CREATE TABLE IF NOT EXISTS uses (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, charge_id TEXT
) STRICT, WITHOUT ROWID;
"""
"""The test bank's books."""
