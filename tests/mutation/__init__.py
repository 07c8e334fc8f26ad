"""Mutation testing of the domain: `make mutation`. Which mutants live says which tests are missing.

The mutants are cosmic-ray's. Each runs in a fork of a process that has loaded everything but the
shop, and only in memory: no file is ever changed.
"""
