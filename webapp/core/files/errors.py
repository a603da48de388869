"""Why a file cannot be taken."""


class UnreadableFileError(Exception):
    """A file that Muster cannot take: `title` says what is wrong, `advice` what to do, in whole sentences.

    parts: into how many uploads a file that is too long can be split. lost: how many edits would be lost with it.
    """

    def __init__(self, title: str, advice: str, parts: int = 0, lost: int = 0) -> None:
        super().__init__(title, advice)
        self.title = title
        self.advice = advice
        self.parts = parts
        self.lost = lost

    def __str__(self) -> str:
        return f"{self.title} {self.advice}"


def empty() -> UnreadableFileError:
    """The file has no people."""
    return UnreadableFileError("This file is empty.", "Add at least one user below the header row.")


def not_a_spreadsheet() -> UnreadableFileError:
    """Something else than a table."""
    return UnreadableFileError(
        "This is not a spreadsheet.",
        "Muster reads CSV, Excel and OpenDocument files. Save the sheet as one of these and upload that.",
    )
