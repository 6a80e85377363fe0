"""Thousands of simulated meters in one process: a population, the places where it is met, its time and its ledger."""
