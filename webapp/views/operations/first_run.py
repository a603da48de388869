"""The one-time set-up link of the first start."""

from __future__ import annotations

from flask import Blueprint, render_template

from webapp.http.auth import answer_dead_link, start_session
from webapp.http.forms import SetupForm
from webapp.http.web import PUBLIC, Answer, redirect_to, require
from webapp.services.operations import first_run

bp = Blueprint("first_run", __name__, url_prefix="/setup")


@bp.get("/<token>")
@require(PUBLIC)
def show(token: str) -> Answer:
    """The form, while the link works."""
    if not first_run.is_open(token):
        return dead_link_page()
    return render_template("operations/first_run/show.html", form=SetupForm(formdata=None))


@bp.post("/<token>")
@require(PUBLIC)
def create(token: str) -> Answer:
    """Make the Owner, sign them in, and on to Home."""
    form = SetupForm()
    if not first_run.is_open(token):
        return dead_link_page()
    if not form.validate():
        return render_template("operations/first_run/show.html", form=form), 422
    owner = first_run.finish(
        token,
        form.organisation.data,
        form.name.data,
        form.address,
        form.password.data,
        form.time_zone.data,
    )
    start_session(owner)
    return redirect_to("dashboard.index", say=f"{form.organisation.data} is set up.")


def dead_link_page() -> Answer:
    """410: the link was used, or a later start has printed a newer one."""
    return answer_dead_link(
        "a link to set Muster up",
        (render_template("operations/first_run/gone.html", waiting=first_run.is_waiting()), 410),
    )
