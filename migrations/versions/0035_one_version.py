"""One version says whether a review is still as it was seen: its other columns go."""

from alembic import op

revision = '0035'
down_revision = '0034'
branch_labels = None
depends_on = None


def upgrade():
    # Rows that were exchanged since a page was loaded left no edit: a higher version keeps that page from being confirmed.
    op.execute("UPDATE batches SET version = version + 1, directory_version = -1 WHERE state = 'reviewing'")
    for column in ('planned_at', 'moved_version', 'drift'):
        op.drop_column('batches', column)


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
