"""Pages of people: the list, one person, erasure, ownership, link sheets."""
