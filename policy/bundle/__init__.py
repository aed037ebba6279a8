"""Packs that travel: built, signed, and let in only where everything about them holds.

``archive_writing``, ``building`` and ``signing`` make a bundle; ``verifying`` lets one in, stage by stage, each refusal
with a code of ``reasons``; ``door`` is where loading meets it.
"""
