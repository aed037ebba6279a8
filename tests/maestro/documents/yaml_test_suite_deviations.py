"""Where reading departs from the YAML test suite, and why. A case that no longer does must leave this list.

The parser is libyaml 0.2.5, which predates the suite's last revisions. What it refuses fails closed. What it accepts or
reads otherwise it does in every tool built on it or ported from it (PyYAML, goyaml, so kubectl and conftest too).
"""

KEYS = "ours: a key is text, not null, a list or a mapping, since JSON knows no others"
BINARY = "ours: !!binary must hold UTF-8 text, since JSON knows no bytes"
REFUSED = "libyaml refuses this valid YAML"
ACCEPTED = "libyaml accepts this, though it is not valid YAML 1.2"
OTHERWISE = "libyaml reads another value"

DEVIATIONS: dict[str, str] = {
    "2SXE": KEYS,  # Anchors With Colon in Name
    "4FJ6": KEYS,  # Nested implicit complex keys
    "6BFJ": KEYS,  # Mapping, key and flow sequence item anchors
    "6PBE": KEYS,  # Zero-indented sequences in explicit mapping keys
    "9MMW": KEYS,  # Single Pair Implicit Entries
    "DFF7": KEYS,  # Spec Example 7.16. Flow Mapping Entries
    "FH7J": KEYS,  # Tags on Empty Scalars
    "KK5P": KEYS,  # Various combinations of explicit block mappings
    "LX3P": KEYS,  # Implicit Flow Mapping Key on one line
    "M2N8-1": KEYS,  # Question mark edge cases
    "M5DY": KEYS,  # Spec Example 2.11. Mapping between Sequences
    "PW8X": KEYS,  # Anchors on Empty Scalars
    "Q9WF": KEYS,  # Spec Example 6.12. Separation Spaces
    "RZP5": KEYS,  # Various Trailing Comments [1.3]
    "SBG9": KEYS,  # Flow Sequence in Flow Mapping
    "V9D5": KEYS,  # Spec Example 8.19. Compact Block Mappings
    "X38W": KEYS,  # Aliases in Flow Objects
    "XW4D": KEYS,  # Various Trailing Comments
    "565N": BINARY,  # Construct Binary
    "2JQS": REFUSED,  # Block Mapping with Missing Keys
    "2LFX": REFUSED,  # Spec Example 6.13. Reserved Directives [1.3]
    "4ABK": REFUSED,  # Flow Mapping Separate Values
    "4MUZ-0": REFUSED,  # Flow mapping colon on line after key
    "4MUZ-1": REFUSED,  # Flow mapping colon on line after key
    "4MUZ-2": REFUSED,  # Flow mapping colon on line after key
    "58MP": REFUSED,  # Flow mapping edge cases
    "5MUD": REFUSED,  # Colon and adjacent value on next line
    "5T43": REFUSED,  # Colon at the beginning of adjacent flow scalar
    "6BCT": REFUSED,  # Spec Example 6.3. Separation Spaces
    "6CA3": REFUSED,  # Tab indented top flow
    "6LVF": REFUSED,  # Spec Example 6.13. Reserved Directives
    "6M2F": REFUSED,  # Aliases in Explicit Block Mapping
    "7Z25": REFUSED,  # Bare document after document end marker
    "8XYN": REFUSED,  # Anchor with unicode character
    "96NN-0": REFUSED,  # Leading tab content in literals
    "96NN-1": REFUSED,  # Leading tab content in literals
    "9SA2": REFUSED,  # Multiline double quoted flow mapping key
    "A2M4": REFUSED,  # Spec Example 6.2. Indentation Indicators
    "BEC7": REFUSED,  # Spec Example 6.14. “YAML” directive
    "CFD4": REFUSED,  # Empty implicit key in single pair flow sequences
    "DBG4": REFUSED,  # Spec Example 7.10. Plain Characters
    "DK3J": REFUSED,  # Zero indented block scalar with line that looks like a comment
    "DK95-0": REFUSED,  # Tabs that look like indentation
    "DK95-3": REFUSED,  # Tabs that look like indentation
    "DK95-4": REFUSED,  # Tabs that look like indentation
    "FP8R": REFUSED,  # Zero indented block scalar
    "FRK4": REFUSED,  # Spec Example 7.3. Completely Empty Flow Nodes
    "HM87-0": REFUSED,  # Scalars in flow start with syntax char
    "HWV9": REFUSED,  # Document-end marker
    "K3WX": REFUSED,  # Colon and adjacent value after comment on next line
    "M2N8-0": REFUSED,  # Question mark edge cases
    "M7A3": REFUSED,  # Spec Example 9.3. Bare Documents
    "MUS6-5": REFUSED,  # Directive variants
    "MUS6-6": REFUSED,  # Directive variants
    "NHX8": REFUSED,  # Empty Lines at End of Document
    "NJ66": REFUSED,  # Multiline plain flow mapping key
    "NKF9": REFUSED,  # Empty keys in block and flow mapping
    "Q5MG": REFUSED,  # Tab at beginning of line followed by a flow mapping
    "QT73": REFUSED,  # Comment and document-end marker
    "R4YG": REFUSED,  # Spec Example 8.2. Block Indentation Indicator
    "S3PD": REFUSED,  # Spec Example 8.18. Implicit Block Mapping Entries
    "SM9W-1": REFUSED,  # Single character streams
    "UKK6-0": REFUSED,  # Syntax character edge cases
    "UT92": REFUSED,  # Spec Example 9.4. Explicit Documents
    "VJP3-1": REFUSED,  # Flow collections over many lines
    "W4TN": REFUSED,  # Spec Example 9.5. Directives Documents
    "W5VH": REFUSED,  # Allowed characters in alias
    "Y79Y-1": REFUSED,  # Tabs in various contexts
    "Y79Y-10": REFUSED,  # Tabs in various contexts
    "9C9N": ACCEPTED,  # Wrong indented flow sequence
    "9HCY": ACCEPTED,  # Need document footer before directives
    "9JBA": ACCEPTED,  # Invalid comment after end of flow sequence
    "CVW2": ACCEPTED,  # Invalid comment after comma
    "DK95-1": ACCEPTED,  # Tabs that look like indentation
    "EB22": ACCEPTED,  # Missing document-end marker before directive
    "G5U8": ACCEPTED,  # Plain dashes in flow sequence
    "MUS6-0": ACCEPTED,  # Directive variants
    "MUS6-1": ACCEPTED,  # Directive variants
    "QB6E": ACCEPTED,  # Wrong indented multiline quoted scalar
    "RHX7": ACCEPTED,  # YAML directive without document end marker
    "S98Z": ACCEPTED,  # Block scalar with more spaces than first content line
    "SU5Z": ACCEPTED,  # Comment without whitespace after doublequoted scalar
    "X4QW": ACCEPTED,  # Comment without whitespace after block scalar indicator
    "Y79Y-3": ACCEPTED,  # Tabs in various contexts
    "YJV2": ACCEPTED,  # Dash in flow sequence
    "652Z": OTHERWISE,  # Question mark at start of flow key
    "HM87-1": OTHERWISE,  # Scalars in flow start with syntax char
    "L24T-1": OTHERWISE,  # Trailing line of spaces
    "Y2GN": OTHERWISE,  # Anchor with colon in the middle
}
