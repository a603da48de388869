"""What the columns of files are used as, by their places: {"0": "email", "2": "groups", "4": "member"}."""

import sqlalchemy as sa
from alembic import op

revision = '0044'
down_revision = '0043'
branch_labels = None
depends_on = None


def upgrade():
    connection = op.get_bind()
    for name, key in (('batches', 'id'), ('batch_files', 'batch_id'), ('header_mappings', 'id')):
        table = sa.table(name, sa.column(key, sa.Integer), sa.column('columns', sa.JSON))
        its_key, kept = table.c[key], table.c['columns']
        for row_key, old in connection.execute(sa.select(its_key, kept)).all():
            if old:
                new = {str(old[use]): use for use in ('email', 'role', 'groups') if use in old}
                new |= {str(place): 'groups' for place in old.get('more', ())}
                new |= {str(place): 'member' for place in old.get('members', ())}
                connection.execute(sa.update(table).where(its_key == row_key).values({kept: new}))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
