"""The commands, one module per group; each imports what it needs when it is run."""
