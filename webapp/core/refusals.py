"""Why a file cannot be taken."""


class UnreadableFile(Exception):
    """A file that Muster cannot take: `title` says what is wrong, `advice` what to do, in whole sentences."""

    def __init__(self, title: str, advice: str) -> None:
        super().__init__(title, advice)
        self.title = title
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.title} {self.advice}"


class UnreadableWorkbook(UnreadableFile):
    """A workbook that cannot be opened: however else its rows were read, the answer would be the same."""


def empty() -> UnreadableFile:
    """Nobody is in it."""
    return UnreadableFile("This file is empty.", "Add at least one user below the header row.")


def not_a_spreadsheet() -> UnreadableFile:
    """Something else than a table."""
    return UnreadableFile(
        "This is not a spreadsheet.",
        "Muster reads CSV, Excel and OpenDocument files. Save the sheet as one of these and upload that.",
    )


def cell_too_long(number: int) -> UnreadableFile:
    """A cell beyond what is kept of one, in the row of this number."""
    return UnreadableFile(f"Line {number} has a cell that is too long.", "Shorten that cell and upload again.")
