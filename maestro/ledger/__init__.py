"""The ledger: an append-only log of evidence, over any store with a conditional write."""
