"""HTTP for programs: a view without a page. It parses, calls one service, and answers JSON."""

from __future__ import annotations

from webapp.api.batches import batches, rows, running
from webapp.api.operations import document

BLUEPRINTS = [module.bp for module in (batches, rows, running, document)]
