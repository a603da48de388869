"""The outbox: messages queued, claimed, rendered, sent, and what became of them."""
