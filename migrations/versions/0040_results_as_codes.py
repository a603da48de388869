"""What became of a message, and why sending is held up, are codes with parameters instead of sentences."""

import re

import sqlalchemy as sa
from alembic import op

revision = '0040'
down_revision = '0036'
branch_labels = None
depends_on = None

CHUNK = 1000
MAYBE_SENT = ". An earlier try broke off during the hand-over: it may have arrived"
SERVER = r"(?P<server>The mail server \S+)"
SENTENCES = [
    (r"Written as (?P<name>\S+)", "file"),
    (r"Refused by the mail server \((?P<words>.*)\)", "refused"),
    (r"Mailbox full \((?P<codes>.*)\)", "mailbox_full"),
    (r"Mail server for (?P<domain>\S+) not found \((?P<codes>.*)\)", "domain_not_found"),
    (r"The mail server does not take addresses with letters outside ASCII .*", "smtputf8_missing"),
    (r"The mail server takes (?P<limit>[\d,]+) bytes a message, and this one has (?P<size>[\d,]+)\. .*", "too_large"),
    (rf"{SERVER} broke off while the message was handed over \((?P<cause>.*)\)", "uncertain"),
    (r"The connection broke twice during the hand-over: .*", "uncertain_twice"),
    (r"Put off by the mail server for a day \((?P<answer>.*)\)", "given_up"),
    (rf"{SERVER} cannot be reached \((?P<cause>.*)\)", "unreachable"),
    (rf"{SERVER} does not accept connections \((?P<words>.*)\)", "not_accepting"),
    (rf"{SERVER} does not offer STARTTLS", "starttls_missing"),
    (rf"{SERVER} refused the sign-in \((?P<words>.*)\)", "sign_in_refused"),
    (rf"{SERVER} broke off \((?P<words>\d\d\d .*)\)", "session_refused"),
    (rf"{SERVER} broke off \((?P<cause>.*)\)", "broken"),
    (rf"{SERVER} does not go on \((?P<words>.*)\)", "stopped"),
    (rf"{SERVER} refuses the sender (?P<sender>\S+) \((?P<words>.*)\)\. Set one .*", "sender_refused"),
    (r"No email can be sent to “(?P<address>.*)”: .*", "invalid_address"),
    (r"This email cannot be written: (?P<words>.*)", "not_built"),
    (r"Something went wrong on our side while it was written", "failed_here"),
    (r"The invitation was accepted before its email went", "accepted_unsent"),
    (r"The invitation was revoked before its email went", "revoked_unsent"),
    (r"The invitation expired before its email went", "expired_unsent"),
    (r"The link was used or withdrawn before its email went", "link_closed"),
    (r"The link expired before its email went", "link_expired"),
    (r"The upload was discarded before its test went", "discarded_unsent"),
    (r"Cancelled before its email went", "cancelled_unsent"),
]
CAUSES = [
    (r"no answer in time", "timeout"),
    (r"no such host", "no_host"),
    (r"it closed the connection", "closed"),
    (r"its certificate does not pass: (?P<words>.*)", "certificate"),
]


def read(text, sentences=SENTENCES):
    """The code and the parameters of a sentence; one that is not known stays a text."""
    if not text:
        return {}
    plain = text.removesuffix(MAYBE_SENT)
    if sentences is SENTENCES and re.match(r"\d\d\d( |$)", plain):
        return {"code": "deferred", "words": plain}
    for pattern, code in sentences:
        found = re.fullmatch(pattern, plain.rstrip("."))
        if found:
            result = {"code": code, **found.groupdict()}
            break
    else:
        result = {"code": "text", "text": plain}
    for name in ("limit", "size"):
        if name in result:
            result[name] = int(result[name].replace(",", ""))
    if "cause" in result:
        result["cause"] = read(result["cause"], CAUSES)
    if "answer" in result:
        result["answer"] = read(result["answer"])
    if plain != text:
        result["maybe_sent"] = True
    return result


def upgrade():
    empty = sa.text("'{}'")
    op.add_column("messages", sa.Column("result", sa.JSON(), nullable=False, server_default=empty))
    op.rename_table("mail_gate", "mail_circuit")
    op.add_column("mail_circuit", sa.Column("cause", sa.JSON(), nullable=False, server_default=empty))
    _convert_messages()
    _convert_circuit()
    op.drop_column("messages", "answer")
    op.drop_column("mail_circuit", "reason")


def _convert_messages():
    connection = op.get_bind()
    messages = sa.table("messages", *map(sa.column, ("id", "state", "answer")), sa.column("result", sa.JSON()))
    columns = messages.c.id, messages.c.state, messages.c.answer
    last_id = 0
    while True:
        wanted = messages.c.answer != "", messages.c.id > last_id
        found = connection.execute(sa.select(*columns).where(*wanted).order_by(messages.c.id).limit(CHUNK)).all()
        if not found:
            return
        converted = []
        for id, state, answer in found:
            result = read(answer)
            if result["code"] == "deferred" and state in ("sent", "uncertain"):
                result["code"] = "accepted"
            converted.append({"b_id": id, "b_result": result})
        update = sa.update(messages).where(messages.c.id == sa.bindparam("b_id"))
        connection.execute(update.values(result=sa.bindparam("b_result", type_=sa.JSON())), converted)
        last_id = found[-1][0]


def _convert_circuit():
    connection = op.get_bind()
    circuit = sa.table("mail_circuit", sa.column("reason"), sa.column("cause", sa.JSON()))
    reason = connection.execute(sa.select(circuit.c.reason)).scalar()
    if reason:
        connection.execute(sa.update(circuit).values(cause=read(reason)))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
