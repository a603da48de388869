"""Causes of failed connections are texts, and what only earlier versions said of a message is one, too."""

import sqlalchemy as sa
from alembic import op

revision = '0045'
down_revision = '0044'
branch_labels = None
depends_on = None

CAUSES = {
    "timeout": "no answer in time",
    "no_host": "no such host",
    "closed": "it closed the connection",
    "certificate": "its certificate does not pass: {words}",
    "text": "{text}",
}
SENTENCES = {
    "mailbox_full": "Mailbox full ({codes})",
    "domain_not_found": "Mail server for {domain} not found ({codes})",
    "too_large": "The mail server takes {limit:,} bytes a message, and this one has {size:,}. Shorten its text.",
    "not_accepting": "{server} does not accept connections ({words}).",
    "session_refused": "{server} broke off ({words}).",
    "sign_in_refused": "{server} refused the sign-in ({words}).",
    "starttls_missing": "{server} does not offer STARTTLS.",
}
COLUMNS = (("messages", "result"), ("rows", "reason"), ("mail_circuit", "cause"))


def converted(said):
    new = dict(said)
    if "answer" in new:
        new["answer"] = converted(new["answer"])
    if isinstance(new.get("cause"), dict):
        new["cause"] = CAUSES[new["cause"]["code"]].format_map(new["cause"])
    if new.get("code") in SENTENCES:
        text = {"code": "text", "text": SENTENCES[new["code"]].format_map(new)}
        if "maybe_sent" in new:
            text["maybe_sent"] = new["maybe_sent"]
        return text
    return new


def upgrade():
    connection = op.get_bind()
    for name, column in COLUMNS:
        table = sa.table(name, sa.column("id", sa.Integer), sa.column(column, sa.JSON))
        id, kept = table.c.id, table.c[column]
        last_id = 0
        while found := connection.execute(sa.select(id, kept).where(id > last_id).order_by(id).limit(1000)).all():
            for row_id, old in found:
                if old and (new := converted(old)) != old:
                    connection.execute(sa.update(table).where(id == row_id).values({kept: new}))
            last_id = found[-1][0]


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
