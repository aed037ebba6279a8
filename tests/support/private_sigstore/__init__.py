"""A Sigstore of our own: certificate authority, certificate log, transparency logs, timestamp authority.

Everything is made in memory from fresh keys, at whatever time a test says. cosign accepts its bundles by its trusted
root (``tests/maestro/provenance/test_as_cosign.py``), so a test that changes one thing of a bundle changes only that.
"""
