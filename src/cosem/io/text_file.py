"""Reading a text file that somebody names: what is wrong with it is told with its name."""

from __future__ import annotations

from pathlib import Path

from cosem.errors import ConfigurationError


def text_of(path: Path) -> str:
    """Return the text of a file in UTF-8; ConfigurationError where it cannot be read or is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise ConfigurationError(f"cannot read {path}: {problem.strerror or problem}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read {path}: it is no UTF-8 text") from None
    except ValueError as problem:
        raise ConfigurationError(f"cannot read {str(path)!r}: {problem}") from None  # a name no file can have
