"""Tables, enums and tiny properties; no queries, no rules. Importing this package registers every table."""

from __future__ import annotations

from webapp.db import Base
from webapp.models.account_links import AccountLink, LinkPurpose
from webapp.models.addresses import ReplacedAddress
from webapp.models.aliases import Alias, AliasKind, HeaderMapping
from webapp.models.audit import AuditChain, AuditEvent
from webapp.models.batches import Batch, BatchFile, BatchKind, BatchState
from webapp.models.groups import Group
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
from webapp.models.roles import OWNER_ROLE_ID, Role
from webapp.models.rows import MARKERS, REDONE, UNDONE, EditState, Outcome, Row, RowEdit
from webapp.models.second_factors import RecoveryCode
from webapp.models.sessions import Session
from webapp.models.users import User, UserState
from webapp.models.workers import Worker

_ONE_ROW = {"audit_chain", "mail_gate", "organisation"}

# No id is given out twice. The log, pages that are open, and links name things by their id, also after these are deleted.
# PostgreSQL's sequences see to it; on SQLite a table has to say so.
for _table in Base.metadata.tables.values():
    if "id" in _table.c and _table.name not in _ONE_ROW:
        _table.dialect_options["sqlite"]["autoincrement"] = True
