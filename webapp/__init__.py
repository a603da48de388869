"""Muster: invite many people at once from a spreadsheet. `webapp.app` is the wiring; nothing is imported here, since the
supervisor starts from this package too."""
