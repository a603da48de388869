"""Actions and reverts are called by a code with parameters, and so is what was noted while a file was read."""

import re

import sqlalchemy as sa
from alembic import op

revision = '0036'
down_revision = '0035'
branch_labels = None
depends_on = None

PEOPLE = r'(?P<n>[\d,]+) (?:person|people)'
TITLES = {
    rf'Change the role of {PEOPLE} to (?P<role>.+)': 'set_role',
    rf'Set the groups of {PEOPLE}': 'set_groups',
    rf'Add “(?P<group>.+)” to {PEOPLE}': 'add_group',
    rf'Add (?P<count>\d+) groups to {PEOPLE}': 'add_groups',
    rf'Add All groups to {PEOPLE}': 'add_all_groups',
    rf'Remove “(?P<group>.+)” from {PEOPLE}': 'remove_group',
    rf'Remove (?P<count>\d+) groups from {PEOPLE}': 'remove_groups',
    rf'Remove All groups from {PEOPLE}': 'remove_all_groups',
    rf'Deactivate {PEOPLE}': 'deactivate',
    rf'Reactivate {PEOPLE}': 'reactivate',
    rf'Resend the invitations? of {PEOPLE}': 'resend',
    rf'Revoke the invitations? of {PEOPLE}': 'revoke',
}


def title_of(name):
    """The code of a name, with its parameters; one that is not known is kept as the code "text"."""
    if found := re.fullmatch('Revert of “(.*)”', name, re.DOTALL):
        return {'code': 'revert', 'of': title_of(found[1])}
    for pattern, code in TITLES.items():
        if found := re.fullmatch(pattern, name, re.DOTALL):
            numbers = {key: int(value.replace(',', '')) for key, value in found.groupdict().items() if key in ('n', 'count')}
            return {'code': code, **found.groupdict(), **numbers}
    return {'code': 'text', 'text': name}


def upgrade():
    op.add_column('batches', sa.Column('title', sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    batches = sa.table(
        'batches', sa.column('id', sa.Integer), sa.column('kind', sa.String), sa.column('name', sa.String),
        sa.column('parts', sa.Integer), sa.column('title', sa.JSON), sa.column('facts', sa.JSON),
    )
    connection = op.get_bind()
    for batch in connection.execute(sa.select(batches)).all():
        values = {'facts': [{'code': 'text', 'text': fact} for fact in batch.facts]}
        if batch.kind != 'upload':
            values |= {'name': '', 'title': title_of(batch.name)}
        elif batch.parts > 1:
            values['name'] = re.sub(r', part \d+ of \d+$', '', batch.name)
        connection.execute(batches.update().where(batches.c.id == batch.id).values(**values))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
