"""Errors as answers, in one place: a page for people, a toast for htmx."""

from __future__ import annotations

from itertools import chain
from typing import Any

from flask import (
    Flask,
    Response,
    current_app,
    flash,
    g,
    render_template,
    request,
)
from flask_wtf.csrf import CSRFError
from marshmallow import ValidationError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from webapp import logs
from webapp.core.errors import (
    MusterError,
    RuleViolationError,
)
from webapp.core.files.errors import UnreadableFileError
from webapp.db import db
from webapp.http.api import problems
from webapp.http.auth import record_refusal
from webapp.http.rate_limits import log_refusal
from webapp.http.web import (
    LONGEST_FORM,
    Answer,
    is_api,
    is_fragment,
    redirect_to,
    safe_next,
)
from webapp.services.batches.review import NotUnderReviewError
from webapp.services.settings import in_force


def broken_promise(error: MusterError) -> Answer:
    """Answer one of our own errors with its sentence.

    Where a form came from a page that it names, one is back there with the sentence: what was searched for or picked on
    that page is not lost.
    """
    if error.refusal and g.get("user"):
        record_refusal(error.refusal)
    if is_api():
        return problems.of_error(error)
    may_go_back = g.get("user") and error.status not in (400, 403) and not is_fragment()
    back = safe_next(request.form.get("next")) if may_go_back else None
    if back:
        flash(str(error), "bad")
        return redirect_to("dashboard.index", back=back)
    return answer(error.status, error.title, str(error))


def wrong_value(error: ValidationError) -> Answer:
    """Answer a value that no control of ours sends with the sentences of its schema."""
    if is_api():
        return problems.of_values(error)
    sentences = chain.from_iterable(error.messages_dict.values())
    return broken_promise(RuleViolationError(" ".join(map(str, sentences))))


def too_late(error: NotUnderReviewError) -> Answer:
    """Answer an edit of a confirmed or discarded batch: go to its page, which shows the state."""
    if is_api():
        return problems.of_error(error)
    flash(str(error), "warn")
    return redirect_to("batches.show", batch_id=error.batch_id)


def unreadable(error: UnreadableFileError) -> Answer:
    """Answer a file of a program that cannot be taken; pages say it themselves."""
    return problems.of_file(error) if is_api() else answer(422, error.title, error.advice)


def page_too_old(_error: CSRFError) -> Response:
    """Answer a form with an old CSRF token: the user signed in or out since the page was loaded."""
    log_refusal(
        "token",
        f"the form’s token is not that of the session ({request.method} {request.endpoint})",
    )
    return answer(
        400,
        "This page was open for too long",
        "Load it again and repeat the last step. Nothing was changed.",
    )


def too_large(_error: RequestEntityTooLarge) -> Response:
    """Answer more than `MUSTER_MAX_UPLOAD_MB`, or than a form holds."""
    size = request.content_length or 0
    log_refusal("size", f"{size} bytes ({request.method} {request.endpoint})")
    most = in_force.environment().max_upload_mb
    text = f"A file may have {most} MB, and what is typed {LONGEST_FORM // 1000} kB. Nothing was changed."
    return answer(413, text=text)


def http_error(error: HTTPException) -> Response:
    """Answer anything else that Flask itself refuses."""
    response = answer(error.code or 500)
    response.allow.update(getattr(error, "valid_methods", None) or ())
    return response


def crash(_error: InternalServerError) -> Response:
    """A fault of ours. Flask has logged what happened; the request's id finds it."""
    reference = logs.request_id()
    current_app.logger.error("the answer was 500, reference %s", reference)
    return answer(500, reference=reference)


def beaten(error: IntegrityError) -> Response:
    """Two did the same at once, and a unique key let one of them."""
    current_app.logger.info("lost a race: %s", type(error.orig).__name__)
    return answer(409, "Someone else was first")


def database_away(error: OperationalError | InterfaceError | PoolTimeout) -> Response:
    """Answer a database error: locked for ten seconds, not answering, or gone."""
    current_app.logger.error("the database did not answer: %s", getattr(error, "orig", error))
    return answer(503)


def answer(status: int, title: str = "", text: str = "", **more: Any) -> Response:
    """The error as a page, or as a toast for htmx. Works also while the database does not.

    title, text: "" for the usual words of this status, which templates/macros/errors.html has.
    """
    if is_api():
        return _answer_program(status, title, text)
    try:
        db.session.rollback()
        template = "errors/_partial.html" if is_fragment() else "errors/error.html"
        html = render_template(template, code=status, title=title, text=text, **more)
    except Exception:
        current_app.logger.exception("the page for this error could not be drawn")
        html = "<!doctype html><html lang=en><title>Muster</title><h1>Muster is busy</h1><p>Try again in a minute.</p></html>"
    # grid/save.js tells by the header that a cell was not saved
    return Response(html, status, {"X-Muster": "1"})


def _answer_program(status: int, title: str, text: str) -> Response:
    """The error as a problem. Works also while the database does not."""
    try:
        db.session.rollback()
    except Exception:
        current_app.logger.exception("the database does not let go")
    return problems.answer(status, title, text)


def register(app: Flask) -> None:
    """Make every error an answer that says what happened and what to do."""
    app.register_error_handler(MusterError, broken_promise)
    app.register_error_handler(ValidationError, wrong_value)
    app.register_error_handler(UnreadableFileError, unreadable)
    app.register_error_handler(NotUnderReviewError, too_late)
    app.register_error_handler(CSRFError, page_too_old)
    app.register_error_handler(RequestEntityTooLarge, too_large)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(InternalServerError, crash)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(kind, database_away)
    app.register_error_handler(IntegrityError, beaten)
