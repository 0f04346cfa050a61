"""Simulated women, and adapters that turn public data sets into exam manifests."""
