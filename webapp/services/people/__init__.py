"""One person: their page, erasure, ownership, printed links."""
