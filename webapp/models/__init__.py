"""Tables, enums and tiny properties; no queries, no rules. Importing this package registers every table."""

from __future__ import annotations

from webapp.db import Base
from webapp.models.accounts import (
    AccountLink,
    ApiToken,
    Door,
    Identity,
    LinkPurpose,
    RecoveryCode,
    Session,
)
from webapp.models.audit import AuditChain, AuditEvent
from webapp.models.batches import Batch, BatchFile, BatchKind, BatchState
from webapp.models.directory import (
    OWNER_ROLE_ID,
    Alias,
    AliasKind,
    Group,
    HeaderMapping,
    ReplacedAddress,
    Role,
)
from webapp.models.endpoints import Endpoint
from webapp.models.invitations import Invitation, InvitationState
from webapp.models.organisation import Organisation
from webapp.models.outbox import (
    SECRET_KINDS,
    MailCircuit,
    Message,
    MessageKind,
    MessageState,
    Phase,
    Priority,
)
from webapp.models.rows import MARKERS, REDONE, TIDIED, UNDONE, EditState, Outcome, Row, RowEdit
from webapp.models.users import User, UserKind, UserState
from webapp.models.workers import Worker

# No id is given out twice. The log, pages that are open, and links name things by their id, also after these are deleted.
# PostgreSQL's sequences see to it; on SQLite a table has to say so.
for _table in Base.metadata.tables.values():
    if "id" in _table.c:
        _table.dialect_options["sqlite"]["autoincrement"] = True
