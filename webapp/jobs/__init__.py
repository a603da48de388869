"""What the worker runs: batches, outbox, maintenance. A job gets an id, claims it, does one thing, and may run twice.

Every job looks at `stopping` between two messages or rows; once it is set, the job gives back what it has not done.
"""

import threading

stopping = threading.Event()
