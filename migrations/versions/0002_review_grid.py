"""Review grid."""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('header_mappings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('columns', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_header_mappings')),
    sa.UniqueConstraint('key', name=op.f('uq_header_mappings_key'))
    )
    op.create_table('aliases',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('word', sa.String(length=80), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('role_id', sa.Integer(), nullable=True),
    sa.Column('group_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_aliases_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['role_id'], ['roles.id'], name=op.f('fk_aliases_role_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aliases')),
    sa.UniqueConstraint('kind', 'key', name=op.f('uq_aliases_kind_key'))
    )
    op.create_table('batch_files',
    sa.Column('batch_id', sa.Integer(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.Column('sheet', sa.String(length=255), nullable=True),
    sa.Column('header_row', sa.Integer(), nullable=True),
    sa.Column('columns', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['batches.id'], name=op.f('fk_batch_files_batch_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('batch_id', name=op.f('pk_batch_files'))
    )
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.add_column(sa.Column('message', sa.Text(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('planned_at', sa.DateTime(), server_default=sa.func.now(), nullable=False))
        batch_op.add_column(sa.Column('moved_version', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('parts_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('part', sa.Integer(), server_default='1', nullable=False))
        batch_op.add_column(sa.Column('parts', sa.Integer(), server_default='1', nullable=False))
        batch_op.create_foreign_key(batch_op.f('fk_batches_parts_id'), 'batches', ['parts_id'], ['id'], ondelete='SET NULL')

    with op.batch_alter_table('row_edits', schema=None) as batch_op:
        batch_op.add_column(sa.Column('state', sa.String(length=32), server_default='done', nullable=False))
        batch_op.create_index('ix_row_edits_batch_id_user_id', ['batch_id', 'user_id', 'state', 'field'], unique=False)

    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('tried_at', sa.DateTime(), nullable=True))
        batch_op.drop_index(batch_op.f('ix_messages_handed_at'))
        batch_op.create_index('ix_messages_tried_at', ['tried_at'], unique=False)

    with op.batch_alter_table('rows', schema=None) as batch_op:
        batch_op.add_column(sa.Column('read_cells', sa.JSON(), server_default=sa.text("'[]'"), nullable=False))
        batch_op.add_column(sa.Column('problems', sa.String(length=32), server_default='', nullable=False))

    # What is under review is planned again, which fills `problems`.
    op.execute('UPDATE organisation SET directory_version = directory_version + 1')


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
