"""Cartwheel: a provider-agnostic serverless framework."""
