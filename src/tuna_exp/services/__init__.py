"""Paid services: requests, what they cost, and a ledger in which no answer is lost."""
