"""Reports how dense the code is: tokens a line, without comments, docstrings and blank lines. `make lint` prints it.

New code is what `git diff HEAD` adds, or, with nothing changed, the last commit. Aim: 8 tokens a line. A report, not a gate.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tokenize
from collections import Counter
from pathlib import Path

CODE = ("webapp/*.py", "worker.py", "wsgi.py")
AIM = 8
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
}


def tokens_by_line(path: Path) -> Counter[int]:
    """The number of tokens in each line of code of a file."""
    counts: Counter[int] = Counter()
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type not in NO_CODE:
                counts[token.start[0]] += 1
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                counts.pop(line, None)
    return counts


def new_lines() -> dict[str, set[int]]:
    """The lines that were added, by file; nothing where there is no git."""
    diff = _git("diff", "-U0", "HEAD", "--", *CODE) or _git("diff", "-U0", "HEAD~1", "--", *CODE)
    lines: dict[str, set[int]] = {}
    path = ""
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
        elif at := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start, count = int(at[1]), int(at[2] or 1)
            lines.setdefault(path, set()).update(range(start, start + count))
    return lines


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout


def main() -> None:
    """Print the density of all code, of the densest files, and of new code."""
    paths = [Path("worker.py"), Path("wsgi.py"), *sorted(Path("webapp").rglob("*.py"))]
    files = {str(path): tokens_by_line(path) for path in paths}
    tokens = sum(counts.total() for counts in files.values())
    lines = sum(map(len, files.values()))
    print(f"{tokens:,} tokens in {lines:,} lines of code, {tokens / lines:.1f} a line")
    densest = sorted(((counts.total() / len(counts), name) for name, counts in files.items() if counts), reverse=True)
    print("densest: " + ", ".join(f"{name} {density:.1f}" for density, name in densest[:5]))
    added = [files[name][line] for name, numbers in new_lines().items() if name in files for line in numbers & files[name].keys()]
    if added:
        density = sum(added) / len(added)
        print(f"new code: {density:.1f} a line" + ("" if density <= AIM else f"; aim at {AIM}"))


if __name__ == "__main__":
    main()
