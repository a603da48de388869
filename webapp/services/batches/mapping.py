"""Which column of a file holds what, and which of a file's words means which role or group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, func, or_, select

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.files import columns
from webapp.core.files import table as tables
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.files.columns import Places
from webapp.core.files.fields import REQUIRED, Field
from webapp.core.files.table import Line, Sheet, Table, UnreadableFileError
from webapp.core.lists.row_filter import EVERYTHING
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold
from webapp.core.text.spelling import by_number
from webapp.db import begin_write, db
from webapp.models import MARKERS, AliasKind, Batch, BatchFile, BatchState, Group, Row, RowEdit, User
from webapp.schemas.groups import GroupSchema
from webapp.schemas.rows import RowSchema, is_too_long, split_groups
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction
from webapp.services.batches import bulk_edit, bulk_fix, import_rows, review, turns, upload
from webapp.services.batches.changes import Result
from webapp.services.directory import aliases, groups, lookup

PREVIEWED = 3
"""Rows in the preview of the mapping page."""
WORDS = 20
"""Unknown words on one review page; the commonest first."""
MOST_CREATED = 500
"""Groups that are created at once."""
LOOKED_AT = 1000
"""Different words of one column that are looked at; the commonest first."""
NO_GROUP = frozenset(
    """
    none null nil nan na n/a n.a. n.n. nothing nobody no empty blank unknown missing pending tba tbc tbd todo
    kein keine keiner keines nein nichts leer ohne unbekannt fehlt folgt offen aucun aucune rien ninguno ninguna nada
    nenhum nenhuma nessuno nessuna niente geen ingen inget
    all any every everyone everybody everything alle alles jeder tous tout toute toutes todos todas tutti tutte todo tudo
    """.split()  # noqa: SIM905 - words read better than a list of strings
)
"""Words that stand for no group, or for every one, and hardly name one: no group is offered for them among many."""
HIDDEN = "••••••"
"""In place of what stands in a column of passwords."""
CELLS = 2000
"""Different wrong cells of one column that are looked at; the commonest first."""

# Columns


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person says of a file. columns: place -> field, or MEMBER, of those that are used; None: not asked yet.

    role: the one of all rows, where no column holds it.
    """

    sheet: str | None = None
    header_row: int | None = None
    columns: Mapping[int, Field | str] | None = None
    role: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file as the page shows it. state: "recognised" by its name, a "guess", or "" for a person's choice.

    wanted: the required field that no column holds yet, and that this one would be for. is_member: used for the ticks in it.
    can_be_member: it is named like a group.
    """

    place: int
    name: str
    samples: Sequence[str]
    field: Field | None
    state: str
    is_doubled: bool = False
    wanted: Field | None = None
    is_member: bool = False
    can_be_member: bool = False

    @property
    def is_used(self) -> bool:
        return bool(self.field) or self.is_member


@dataclass(frozen=True, slots=True)
class Matching:
    """The mapping page. `refusal` says why this sheet or header row cannot be read; then there are no columns."""

    sheets: Sequence[Sheet]
    sheet: str | None
    head: Sequence[Line]
    header_row: int
    columns: Sequence[Column] = ()
    rows: int = 0
    preview: Sequence[Mapping[Field, str]] = ()
    missing: Sequence[Field] = ()
    role: str = ""
    doubled: Sequence[Field] = ()
    refusal: UnreadableFileError | None = None

    @property
    def has_ticks(self) -> bool:
        """Whether a column is named like a group, so that it may say who is in it."""
        return any(column.can_be_member for column in self.columns)

    @property
    def unplaced(self) -> list[Field]:
        """Missing fields that no column looks like."""
        offered = {column.wanted for column in self.columns}
        return [field for field in self.to_choose if field not in offered]

    @property
    def is_complete(self) -> bool:
        return not (self.refusal or self.to_choose or self.doubled)

    @property
    def to_choose(self) -> Sequence[Field]:
        """Those that are missing and that nothing else was said of."""
        return [field for field in self.missing if not (field is Field.ROLE and self.role)]


def matching(batch: Batch, choice: Choice) -> Matching:
    """What the mapping page shows for a choice that need not be a good one. Raises ConflictError: the file is not kept."""
    source = upload.kept(batch)
    if choice.sheet is None and choice.header_row is None:
        choice = replace(choice, sheet=source.sheet, header_row=source.header_row)
    asked = replace(source, sheet=choice.sheet, header_row=choice.header_row)
    try:
        with turns.preview():
            return _matching(source, asked, choice)
    except UnreadableFileError as refusal:
        return Matching([], choice.sheet, [], 0, refusal=refusal)


def _matching(source: upload.Source, asked: upload.Source, choice: Choice) -> Matching:
    sheets = tables.sheets(source.data, source.name)
    bare = tables.read(source.data, source.name, sheet=choice.sheet, header_row=0)
    shown = Matching(sheets, bare.sheet, _masked(bare.lines[: tables.HEADER_WITHIN]), choice.header_row or 0)
    try:
        table = upload.read_table(asked)
    except UnreadableFileError as refusal:
        return replace(shown, refusal=refusal)
    chosen = choice.columns
    if chosen is None and source.columns and (source.sheet, source.header_row) == (choice.sheet, choice.header_row):
        chosen = _uses(source.columns)
    found = _columns(table, chosen)
    held = Counter(column.field for column in found if column.field)
    doubled = [each for each in Field if held[each] > 1 and each is not Field.GROUPS]
    missing = [each for each in REQUIRED if each not in held]
    role = choice.role if Field.ROLE not in held else ""
    wanted = [each for each in missing if not (each is Field.ROLE and role)]
    return replace(
        shown,
        header_row=table.header_row,
        columns=[replace(column, is_doubled=column.field in doubled) for column in _with_wanted(table, found, wanted)],
        rows=len(table.lines) - _skipped(table, found),
        preview=_preview(table, found),
        missing=missing,
        role=role,
        doubled=doubled,
    )


def _masked(head: Sequence[Line]) -> list[Line]:
    """The first lines, without what stands in columns that one of them names as passwords."""
    secret: set[int] = set()
    masked = []
    for line in head:
        cells = [HIDDEN if cell and place in secret else cell for place, cell in enumerate(line.cells)]
        masked.append(Line(line.number, tuple(cells)))
        secret |= _secret_places([line.cells])
    return masked


def _secret_places(lines: Sequence[Sequence[str]]) -> set[int]:
    """The columns that hold passwords, as far as one of these lines is their header."""
    return {place for cells in lines for place, cell in enumerate(cells) if columns.is_secret(cell)}


def _with_wanted(table: Table, found: Sequence[Column], missing: Sequence[Field]) -> list[Column]:
    """The same, each missing field being offered for the column that most probably holds it."""
    known = _known(table)
    free = {column.place for column in found if not column.is_used} - _secret_of(table)
    wanted: dict[int, Field] = {}
    for field in missing:
        if (place := columns.likeliest(field, free - wanted.keys(), *known)) is not None:
            wanted[place] = field
    return [replace(column, wanted=wanted.get(column.place)) for column in found]


def _known(table: Table) -> tuple[Sequence[Sequence[str]], list[str], list[str]]:
    """By what a column is known: its first cells, and the names of the roles and groups that there are."""
    registry = lookup.registry()
    lines = [line.cells for line in table.lines[:100]]
    return lines, [role.name for role in registry.roles], [group.name for group in registry.groups]


def _columns(table: Table, chosen: Mapping[int, Field | str] | None) -> list[Column]:
    samples, roles, groups = _known(table)
    guesses = columns.guess(table.header, samples, roles, groups)
    secret = _secret_of(table)
    like_groups = columns.named_like_groups(table.header, [line.cells for line in table.lines], groups)
    if chosen is None and table.header_row and (known := aliases.columns_of({table.header_row: table.header})):
        chosen = _uses(known[1])
    found = []
    for guess in guesses:
        guessed = columns.MEMBER if guess.is_member else guess.field
        use = guessed if chosen is None else chosen.get(guess.place)
        by_muster = use is not None and use == guessed
        state = ("recognised" if guess.certain else "guess") if by_muster else ""
        is_member = use == columns.MEMBER
        held = None if is_member or use is None else Field(use)
        can_be_member = is_member or guess.place in like_groups
        samples_shown = [HIDDEN] if guess.samples and guess.place in secret else guess.samples
        column = Column(guess.place, guess.name, samples_shown, held, state, is_member=is_member, can_be_member=can_be_member)
        found.append(column)
    return found


def _uses(places: Places) -> dict[int, Field | str]:
    """What each column is used as."""
    uses: dict[int, Field | str] = {place: field for field, place in places.fields.items()}
    uses |= dict.fromkeys(places.more, Field.GROUPS)
    return uses | dict.fromkeys(places.members, columns.MEMBER)


def _places_of(found: Sequence[Column]) -> Places:
    """The columns that are used; of those chosen for the same field, but for Groups, the first."""
    fields: dict[Field, int] = {}
    more = []
    for column in found:
        if column.field is Field.GROUPS and column.field in fields:
            more.append(column.place)
        elif column.field:
            fields.setdefault(column.field, column.place)
    return Places(fields, tuple(more), tuple(column.place for column in found if column.is_member))


def _skipped(table: Table, found: Sequence[Column]) -> int:
    places = _places_of(found)
    return len(columns.prefilled(table, places)) if Field.EMAIL in places.fields else 0


def _preview(table: Table, found: Sequence[Column]) -> list[dict[Field, str]]:
    places, secret = _places_of(found), _secret_of(table)
    lines = []
    for line in table.lines[:PREVIEWED]:
        cells = {
            field: HIDDEN if line.cell(place) and place in secret else line.cell(place) for field, place in places.fields.items()
        }
        if Field.GROUPS in cells or places.members:
            cells[Field.GROUPS] = ", ".join(columns.groups_of(table.header, line.cells, places))
        lines.append(cells)
    return lines


def _secret_of(table: Table) -> set[int]:
    return _secret_places([table.header, *(line.cells for line in table.lines[: tables.HEADER_WITHIN])])


def choose(
    batch_id: int, choice: Choice, by: User, *, remember: bool = False, split: bool = False, version: int | None = None
) -> Batch:
    """Read the batch's file as a person says, and stage its rows in place of those there were. One commit.

    remember: from now on for every file with this header; else what was remembered for it is forgotten.
    version: the batch's version that the page showed; edits made since are not thrown away unseen.
    A role for all rows is written into them as a step of its own, which can be undone.
    Raises UnmatchedColumnsError where fields are missing, UnreadableFileError, TooManyRowsError unless split, and ConflictError.
    """
    batch = review.found(batch_id)
    held = _by_field(choice.columns or {})
    role = choice.role if Field.ROLE not in held.fields else ""
    if role:
        _official("role", role, lookup.registry(), by)
    elif Field.ROLE not in held.fields:
        raise columns.UnmatchedColumnsError(
            "No column is chosen for the roles.", "Choose one, or one role for all rows, and go on."
        )
    source = replace(upload.kept(batch), sheet=choice.sheet, header_row=choice.header_row, columns=held)
    reading = upload.read(source)
    plan = import_rows.plan_rows(batch, reading.table, reading.people, by, split, reading.hints)
    begin_write()
    batch = _open(batch_id, version)
    batch.planned_for_id = by.id
    upload.describe(batch, source, reading)
    of_rows = RowEdit.batch_id == batch_id, or_(RowEdit.row_id.is_not(None), RowEdit.field.in_(MARKERS))
    db.session.execute(delete(RowEdit).where(*of_rows))
    db.session.execute(delete(Row).where(Row.batch_id == batch_id))
    batch.version += 1
    import_rows.insert_parts(batch, plan, source.name)
    if batch.parts > 1:
        db.session.execute(delete(BatchFile).where(BatchFile.batch_id == batch_id))
    else:
        upload.keep(batch, source)
    header = reading.table.header
    if reading.table.header_row and not role:
        (aliases.remember_columns(header, held, batch, by) if remember else aliases.forget_columns(header, batch, by))
    named = columns.names_of(held, header)
    events.record(by, AuditAction.BATCH_MATCHED, batch, columns=named, rows=plan.size)
    db.session.commit()
    for each in (upload.parts_of(batch) or [batch]) if role else ():
        bulk_edit.set_role(each.id, bulk_edit.Chosen(find=EVERYTHING), role, by)
    return batch


def _by_field(chosen: Mapping[int, Field | str]) -> Places:
    """The columns that a person chose. Raises UnmatchedColumnsError where two are used as a field of which there is one."""
    fields: dict[Field, int] = {}
    more, members = [], []
    for place, use in sorted(chosen.items()):
        if use == columns.MEMBER:
            members.append(place)
        elif (field := Field(use)) not in fields:
            fields[field] = place
        elif field is Field.GROUPS:
            more.append(place)
        else:
            raise columns.UnmatchedColumnsError(
                f"Two columns are used as {field.heading}.", "Choose “Ignore” for the one that does not count."
            )
    return Places(fields, tuple(more), tuple(members))


def _open(batch_id: int, version: int | None) -> Batch:
    """The locked batch, whose columns can still be matched."""
    batch = review.locked(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        raise review.NotUnderReviewError(batch)
    if not upload.is_kept(batch):
        raise ConflictError("This upload was split into parts in the meantime. The list of uploads shows them.")
    if version is not None and version != batch.version:
        raise ConflictError(
            "Somebody changed this upload in the meantime. Look at it again, then match its columns. Nothing was lost."
        )
    return batch


# Words


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a file that is no role or group, and in how many rows it stands. field: "role" or "groups"."""

    field: str
    text: str
    rows: int
    can_be_remembered: bool = True
    can_be_made: bool = False
    """Whether a group may have this name."""
    is_a_name: bool = False
    """Whether it is likely to be one, too: no role, and no word such as "none" or "all"."""


@dataclass(frozen=True, slots=True)
class Words:
    """Unknown words as the review lists them. creatable: how many groups could be made of all there are, at most MOST_CREATED."""

    shown: Sequence[Word] = ()
    is_more: bool = False
    creatable: int = 0


def unknown_words(batch: Batch) -> Words:
    """Words that are nowhere near a role or a group, so that Muster has nothing to suggest; the commonest first.

    A batch whose counts tell of no such problem costs no query, any other one a column; only rows in attention are read.
    """
    found = _all_unknown(batch, ("role", "groups"))
    if not found:
        return Words()
    return Words(found[:WORDS], len(found) > WORDS, len(_likely_groups(found)))


def missing_groups(batch: Batch) -> list[Word]:
    """Those of the unknown words that are likely to be names of groups, by name; the first MOST_CREATED of them."""
    return sorted(_likely_groups(_all_unknown(batch, ("groups",))), key=lambda word: by_number(word.text))


def _likely_groups(words: Sequence[Word]) -> list[Word]:
    return [word for word in words if word.is_a_name][:MOST_CREATED]


def _all_unknown(batch: Batch, fields: Sequence[str]) -> list[Word]:
    wrong = [name for name in fields if batch.counts.get(f"problem:{name}", 0)]
    if not wrong:
        return []
    registry = lookup.registry(batch.uploaded_by)
    found = [word for name in wrong for word in _words_of(batch, name, registry)]
    return sorted(found, key=lambda word: (-word.rows, word.field, fold(word.text)))


def _words_of(batch: Batch, name: str, registry: Registry) -> list[Word]:
    cell = getattr(Row, name)
    wrong = (
        Row.batch_id == batch.id,
        Row.plan == Plan.ATTENTION,
        Row.removed_at.is_(None),
        getattr(Row, f"{name}_wrong"),
        func.length(cell) <= LONGEST_CELL,
    )
    query = select(cell, func.count()).where(*wrong).group_by(cell).order_by(func.count().desc(), func.min(Row.line)).limit(CELLS)
    rows: Counter[str] = Counter()
    spelt: dict[str, str] = {}
    for text, n in db.session.execute(query):
        if is_too_long(name, text):
            continue
        for word in split_groups(text) if name == "groups" else [" ".join(text.split())]:
            rows[fold(word)] += n
            spelt.setdefault(fold(word), word)
    known: set[str] = set(registry.role_by_key) if name == "role" else {fold(ALL_GROUPS), *registry.group_by_key}
    schema, name_of_group = RowSchema(registry), GroupSchema()
    found: list[Word] = []
    for key, n in rows.most_common(LOOKED_AT):
        if key and key not in known and not bulk_fix.suggestion(schema, name, spelt[key]):
            can_be_made = name == "groups" and not name_of_group.validate({"name": spelt[key]})
            is_a_name = can_be_made and key not in NO_GROUP and key not in registry.role_by_key
            found.append(Word(name, spelt[key], n, len(spelt[key]) <= aliases.LONGEST_WORD, can_be_made, is_a_name))
    return found


def create_groups(batch_id: int, names: Sequence[str], by: User) -> list[Group]:
    """Create these groups, all or none, each with its audit event; the rows that name them are then judged again.

    Nothing in the rows changes, so there is nothing in them to undo. Raises RuleViolationError where none is chosen or a name
    does not do.
    """
    review.found(batch_id)
    if not names:
        raise RuleViolationError("Choose at least one group to create.")
    if len(names) > MOST_CREATED:
        raise RuleViolationError(f"Create at most {MOST_CREATED} groups at once.")
    return groups.add(names, by)


def translate(batch_id: int, name: str, word: str, meant: str, by: User, *, remember: bool = False) -> Result:
    """Write the role or the group that is meant into every row that says `word`, as one step that can be undone.

    remember: later files may say the word, too. Raises RuleViolationError for what cannot be meant, ConflictError where no row
    says so.
    """
    registry = lookup.registry()
    official = _official(name, meant, registry, by)
    if remember:
        aliases.check(word)
    done = bulk_fix.fix(batch_id, name, word, official, by)
    if remember:
        aliases.remember(AliasKind.ROLE if name == "role" else AliasKind.GROUP, word, official, by, batch_id)
    return done


def _official(name: str, meant: str, registry: Registry, by: User) -> str:
    if name == "role":
        role = registry.role_by_key.get(fold(meant))
        if role is None or role not in lookup.grantable(by):
            raise RuleViolationError("Choose a role that you may grant.")
        return role.name
    group = registry.group_by_key.get(fold(meant)) if name == "groups" else None
    if group is None:
        raise RuleViolationError("Choose a group.")
    return group.name
