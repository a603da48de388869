"""Commands and questions of the domain: the only code that commits.

A service called with a verb is a command and commits once; one called with a noun is a question and never writes.
Slow work (hashing, parsing) comes before `begin_write()`, the queue's bell after the commit.
"""
