"""Which parts of its input a pack can look at. Pure; errs towards more, never towards less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from policy.rego_text import Token, read_text

Path = tuple[str, ...]


def input_paths(modules: Mapping[str, bytes]) -> frozenset[Path]:
    """The references below ``input`` in these modules, each as far as it is written out.

    ``input.spec.image`` is ``("spec", "image")``; ``input.xs[_].y`` is ``("xs",)``; ``input`` alone, handed on to
    anything, is ``()``: all of it.
    """
    found: set[Path] = set()
    for source in modules.values():
        tokens = read_text(source.decode("utf-8", "replace")).tokens
        for at, token in enumerate(tokens):
            if token.text == "input" and token.kind == "word" and (at == 0 or tokens[at - 1].text != "."):
                found.add(_path(tokens, at + 1))
    return frozenset(found)


def _path(tokens: Sequence[Token], at: int) -> Path:
    parts: list[str] = []
    while at + 1 < len(tokens):
        if tokens[at].text == "." and tokens[at + 1].kind == "word":
            parts.append(tokens[at + 1].text)
            at += 2
        elif tokens[at].text == "[" and _plain(tokens[at + 1]) and at + 2 < len(tokens) and tokens[at + 2].text == "]":
            parts.append(tokens[at + 1].text[1:-1])
            at += 3
        else:
            break
    return tuple(parts)


def _plain(token: Token) -> bool:
    """A string without escapes; any other ends the path, which then covers all below."""
    return token.kind in ("string", "raw") and "\\" not in token.text


def looked_at(paths: Iterable[Path], missing: Sequence[str]) -> bool:
    """Whether a pack with these references can notice that the part at ``missing`` is not what it was."""
    return any(all(one == other for one, other in zip(path, missing, strict=False)) for path in paths)
