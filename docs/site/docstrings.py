"""Docstrings, which are written in Markdown's manner, as the reStructuredText of autodoc."""

import re

FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
TABLE = re.compile(r"^( *)\|.*\|\n *\|[-|: ]+\|\n(?: *\|.*\|(?:\n|$))+", re.M)
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def as_restructured(text: str) -> str:
    """The same text with code, tables and bars as reStructuredText has them.

    Args:
        text: A docstring, without the indentation that its lines share.
    """
    # Every third part is the language of fenced code, and the next one that code.
    outside, *rest = FENCED.split(text)
    parts = [_prose(outside)]
    for indent, language, code, outside in zip(*(rest[i::4] for i in range(4)), strict=True):
        lines = "".join(f"    {line}\n" for line in code.splitlines())
        parts += [f"{indent}.. code-block:: {language or 'text'}\n\n{lines}", _prose(outside)]
    return "".join(parts)


def _prose(text):
    text = TABLE.sub(_table, text)
    # A code is a name that may be looked up, or whatever else, which may go on in the next line.
    text = CODE.sub(_code, text)
    # Outside of code, the bars of p(x|z) and |x| are what they look like.
    return re.sub(r"(``.*?``)|\|", lambda match: match[1] or r"\|", text)


def _code(match):
    code = re.sub(r"\s*\n\s*", " ", match[1])
    after = match.string[match.end() : match.end() + 1]
    # As in the plural of a name.
    end = r"\ " if after.isalnum() else ""
    return f"`{code}`{end}" if re.fullmatch(r"[A-Za-z_][\w.]*", code) else f"``{code}``{end}"


def _table(match):
    """The rows of a table as the directive `list-table`."""
    indent = match[1]
    head, _, *rows = match[0].strip().splitlines()
    lines = [f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in (head, *rows):
        # The bars of formulas are in code.
        cells = re.findall(r"((?:`[^`]*`|[^`|])*)\|", row.strip()[1:])
        marks = ("* -", *("  -" for _ in cells[1:]))
        lines += [
            f"{indent}   {mark} {cell.strip()}" for mark, cell in zip(marks, cells, strict=True)
        ]
    return "\n".join([*lines, "", ""])


def convert(app, what, name, obj, options, lines):
    """Converts a docstring in place, as Sphinx asks for it."""
    lines[:] = as_restructured("\n".join(lines)).splitlines()


def setup(app):
    """Comes before napoleon, which reads the sections."""
    app.connect("autodoc-process-docstring", convert, priority=100)
    return {"parallel_read_safe": True}
