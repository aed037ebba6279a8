"""The YAML of the governed repository as typed documents, with line and column for every field."""

from maestro.documents.document import Document, Parsed
from maestro.documents.parse import parse
from maestro.documents.problem import Problem
from maestro.documents.reading import RawDocument, Reading, read

__all__ = ["Document", "Parsed", "Problem", "RawDocument", "Reading", "parse", "read"]
