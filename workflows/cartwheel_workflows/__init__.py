"""The shop's workflows, and the whole shop as one application."""
