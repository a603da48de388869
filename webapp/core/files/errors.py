"""Why a file cannot be taken."""


class UnreadableFileError(Exception):
    """A file that Muster cannot take: `title` says what is wrong, `advice` what to do, in whole sentences."""

    def __init__(self, title: str, advice: str) -> None:
        super().__init__(title, advice)
        self.title = title
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.title} {self.advice}"


class UnreadableWorkbookError(UnreadableFileError):
    """A workbook that cannot be opened: however else its rows were read, the answer would be the same."""


def empty() -> UnreadableFileError:
    """The file has no people."""
    return UnreadableFileError("This file is empty.", "Add at least one user below the header row.")


def not_a_spreadsheet() -> UnreadableFileError:
    """Something else than a table."""
    return UnreadableFileError(
        "This is not a spreadsheet.",
        "Muster reads CSV, Excel and OpenDocument files. Save the sheet as one of these and upload that.",
    )


def cell_too_long(number: int) -> UnreadableFileError:
    """A cell beyond what is kept of one, in the row of this number."""
    return UnreadableFileError(
        f"Line {number} has a cell that is too long.", "Shorten that cell and upload again."
    )


def lock_file() -> UnreadableFileError:
    """The file is the lock file of an open workbook."""
    return UnreadableFileError(
        "This is not the workbook, but the lock file that lies beside it while someone has it open.",
        "Upload the file of the same name without “~$” or “.~lock.” at its beginning.",
    )


def web_page() -> UnreadableFileError:
    """HTML, whatever it is called: many systems export tables so, under the name of a workbook."""
    return UnreadableFileError(
        "This is a web page (HTML), though it may be called .xls.",
        "Open it in a spreadsheet program, save it as Excel workbook or CSV and upload that.",
    )
