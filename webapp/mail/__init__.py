"""E-mails as plain values, their bytes, and the transports that send them. No models."""
