"""Rows say what is wrong with them, and why they came to their outcome, in codes with parameters."""

import re

import sqlalchemy as sa
from alembic import op

revision = '0034'
down_revision = '0033'
branch_labels = None
depends_on = None

CHUNK = 1000

ISSUES = {
    'Email is missing.': 'email_missing',
    'Email is too long.': 'email_long',
    'No @ in email.': 'email_without_at',
    'More than one email.': 'email_several',
    'Not an email address.': 'email_invalid',
    'Incomplete domain.': 'email_domain_incomplete',
    r'Too long: a cell holds at most (?P<most>[\d,]+) characters\.': 'cell_long',
    'Role is missing.': 'role_missing',
    'One role a person.': 'role_several',
    'Not a role.': 'role_unknown',
    r'Too long: a cell holds at most (?P<most>[\d,]+) groups\.': 'groups_many',
    r'(?P<n>\d+) groups do not exist\.': 'groups_unknown',
    '“All groups” stands alone, or not at all.': 'all_groups_alone',
    'Has All groups: single groups cannot be taken from that.': 'all_groups_kept',
    'This account is deactivated. Reactivate it, or remove the row.': 'deactivated',
    'Domain not allowed here.': 'domain_not_allowed',
    r'Same email as row (?P<row>\d+)\.': 'duplicate',
    r'Same email as row (?P<row>\d+), with another role or groups\.': 'duplicate_differs',
    'Owner cannot be assigned.': 'grant_owner',
    r'(?P<role>.+) ranks above your own role\.': 'grant_rank',
    'Nobody to remove from.': 'nobody_to_remove_from',
    'Nobody changes the Owner by upload.': 'owner',
    'Nobody changes the Owner.': 'owner',
    'Who uploads or confirms cannot change their own role.': 'own_role',
    'Nobody changes their own role.': 'own_role',
    r'You cannot change an? (?P<role>.+): the role ranks above yours\.': 'rank',
    'This account is deactivated. Reactivate it first.': 'deactivated_person',
    'This invitation has expired. Resend it first.': 'expired',
    'The former role is not there any more.': 'former_role_gone',
    'A group of this action is not there any more.': 'group_gone',
    'This invitation was accepted.': 'invitation_accepted',
    'This invitation was revoked.': 'invitation_revoked',
    'Not an invitation.': 'not_an_invitation',
    'Not a user yet.': 'not_a_user',
    'Not a user yet: an invitation is revoked instead.': 'not_a_user_revoke',
    'Nobody deactivates themselves.': 'own_account',
    'This person is not here any more.': 'person_gone',
    r'This invitation was sent (?P<most>\d+) times again within an hour\. Wait a while, or copy its link\.': 'resend_limit',
    'This role is not there any more.': 'role_gone',
    'Accepted since.': 'accepted_since',
    'Changed since.': 'changed_since',
    'What was done to this person is not known any more.': 'original_unknown',
    'Sent again since.': 'resent_since',
}
REASONS = {
    'Already as the file wants': 'already_as_file',
    'Already so': 'already_so',
    'Cancelled before it was done': 'cancelled',
    'Cancelled before its email went': 'cancelled_unsent',
    'Changed since the review': 'changed',
    'This person was erased': 'erased',
    'Something went wrong on our side. Nothing was done for this row': 'failed',
    r'(?P<name>.+) may no longer do this': 'may_not_do',
    r'(?P<name>.+) may not grant or change this role': 'may_not_grant',
    r'(?P<name>.+) may no longer invite': 'may_not_invite',
    'Sent again since the review': 'resent',
    'The invitation was revoked before its email went': 'revoked_unsent',
}


def compiled(sentences):
    """A sentence with named groups is a pattern, any other stands for itself."""
    return [(re.compile(text if '(?P<' in text else re.escape(text), re.DOTALL), code) for text, code in sentences.items()]


ISSUE_PATTERNS = compiled(ISSUES)
REASON_PATTERNS = compiled(REASONS) + ISSUE_PATTERNS


def code_of(text, patterns):
    """The code of a sentence, with its parameters; one that is not known is kept as the code "text"."""
    for pattern, code in patterns:
        if found := pattern.fullmatch(text):
            numbers = ('most', 'n', 'row')
            params = {name: int(value.replace(',', '')) if name in numbers else value for name, value in found.groupdict().items()}
            return {'code': code, **params}
    return {'code': 'text', 'text': text}


def new_issue(issue):
    """An issue without its sentence."""
    text = issue.get('text', '')
    said = {'code': 'groups_unknown', 'n': 1} if text == 'No such group.' else code_of(text, ISSUE_PATTERNS)
    kept = {name: issue[name] for name in ('suggestion', 'old', 'new') if name in issue}
    return {'field': issue.get('field', 'email'), **said, **kept}


def new_note(note):
    """A note without its sentence; of one that was kept for a role, the role."""
    code, text = note
    return {'code': code, 'role': text.removeprefix('File says ')} if code == 'role_kept' else {'code': code}


def new_step(step):
    """A planned change under the new names of its parts."""
    step = {name: value for name, value in step.items() if name != 'twin_part'}
    if 'act' in step:
        step['effect'] = step.pop('act')
    if 'notes' in step:
        step['notes'] = [new_note(note) for note in step['notes']]
    return step


def new_reason(text):
    return code_of(text[:1].upper() + text[1:], REASON_PATTERNS) if text else {}


def upgrade():
    op.execute('ALTER TABLE rows RENAME COLUMN reason TO old_reason')
    op.add_column('rows', sa.Column('reason', sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    for field in ('email', 'role', 'groups'):
        op.add_column('rows', sa.Column(f'{field}_wrong', sa.Boolean(), server_default=sa.false(), nullable=False))
    rows = sa.table(
        'rows', sa.column('id', sa.Integer), sa.column('issues', sa.JSON), sa.column('step', sa.JSON),
        sa.column('reason', sa.JSON), sa.column('old_reason', sa.Text), *(
            sa.column(f'{field}_wrong', sa.Boolean) for field in ('email', 'role', 'groups')),
    )
    connection, last = op.get_bind(), 0
    query = sa.select(rows.c.id, rows.c.issues, rows.c.step, rows.c.old_reason).order_by(rows.c.id).limit(CHUNK)
    change = rows.update().where(rows.c.id == sa.bindparam('row_id')).values(
        issues=sa.bindparam('new_issues'), step=sa.bindparam('new_step'), reason=sa.bindparam('new_reason'),
        email_wrong=sa.bindparam('email'), role_wrong=sa.bindparam('role'), groups_wrong=sa.bindparam('groups'),
    )
    while found := connection.execute(query.where(rows.c.id > last)).all():
        last = found[-1].id
        changed = []
        for row in found:
            if not (row.issues or row.old_reason or row.step.keys() & {'act', 'notes', 'twin_part'}):
                continue
            wrong = {issue.get('field') for issue in row.issues}
            changed.append({
                'row_id': row.id, 'new_issues': [new_issue(issue) for issue in row.issues], 'new_step': new_step(row.step),
                'new_reason': new_reason(row.old_reason), **{field: field in wrong for field in ('email', 'role', 'groups')},
            })
        if changed:
            connection.execute(change, changed)
    for name in ('old_reason', 'problems', 'attempt'):
        op.drop_column('rows', name)


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
