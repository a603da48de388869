"""Which columns of a file are used, what it says besides, and which addresses were replaced."""

import sqlalchemy as sa
from alembic import op

revision = '0030'
down_revision = '0027'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('batches', sa.Column('columns', sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column('batches', sa.Column('notices', sa.JSON(), server_default=sa.text("'[]'"), nullable=False))
    # Which columns were used is not known of files that were confirmed before: of those no line stays as read.
    op.execute("UPDATE rows SET read_cells = '[]' WHERE batch_id IN "
               "(SELECT id FROM batches WHERE state NOT IN ('mapping', 'reviewing'))")
    op.add_column('rows', sa.Column('hint', sa.String(length=16), nullable=True))
    op.create_index('ix_rows_batch_id_hint', 'rows', ['batch_id', 'hint'], unique=False,
                    sqlite_where=sa.text('hint IS NOT NULL'), postgresql_where=sa.text('hint IS NOT NULL'))
    op.create_table(
        'replaced_addresses',
        sa.Column('old_key', sa.String(length=320), nullable=False),
        sa.Column('email', sa.String(length=320), nullable=False),
        sa.Column('email_key', sa.String(length=320), nullable=False),
        sa.Column('at', sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint('old_key', name=op.f('pk_replaced_addresses')),
    )
    op.create_index('ix_replaced_addresses_email_key', 'replaced_addresses', ['email_key'], unique=False)


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
