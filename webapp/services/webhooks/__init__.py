"""Webhooks: endpoints, which the Owner keeps, and the delivery of events to them."""
