"""Pure decisions: values in, values out.

Belongs here: reading tables, matching columns, judging addresses, planning, suggesting, deriving tokens.
May not be here: Flask, the database, the clock, randomness, or anything of ours from outside this package.
"""
