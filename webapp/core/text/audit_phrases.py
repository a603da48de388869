"""An audit event as a sentence: "Changed Hannah Whitcombe: role Analyst to Admin, 2 groups added"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webapp.core.text.formatting import clipped, plural
from webapp.settings.pages import SECTIONS

Details = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in two halves around its subject, which a page links to. names: whether it names the subject."""

    before: str
    after: str = ""
    names: bool = True

    def text(self, subject: str) -> str:
        """The whole sentence."""
        return f"{self.before}{subject}{self.after}" if self.names else self.before


def describe(action: str, details: Details, count: int = 1, subject: str = "") -> Sentence:
    """What happened, as a sentence. An action that is not known here is described by its own name."""
    template, after = TEMPLATES.get(action) or (_by_name(action), changes)
    template = template.replace("{word}", str(details.get("word", "")))
    before, slot, rest = template.partition("{}")
    times = f" ({count:,} times within the hour)" if count > 1 else ""
    ending = rest + (after(details) if after else "") + times
    if action == "access.refused":
        return Sentence(f"{before}{_describe_attempt(subject)}{ending}", names=False)
    if slot and subject:
        return Sentence(before, ending)
    return Sentence(before.rstrip() + ending, names=False)


def _describe_attempt(request: str) -> str:
    """What a refused request was for: "GET /audit" -> "opening /audit"."""
    method, _, path = request.partition(" ")
    return (
        f"{'opening' if method in ('GET', 'HEAD') else 'what is done at'} {path}"
        if path
        else request
    )


def changes(details: Details) -> str:
    """ ": role Analyst to Admin, 2 groups added", or "" where the details have no before and after."""
    before, after = details.get("before"), details.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    parts = [
        _change(name, before.get(name), after.get(name))
        for name in after
        if before.get(name) != after.get(name)
    ]
    return f": {', '.join(parts)}" if parts else ""


def _change(name: str, before: Any, after: Any) -> str:
    label = words(name)
    if isinstance(before, list) and isinstance(after, list):
        noun = label[:-1] if label.endswith("s") else label
        added, removed = (
            [x for x in after if x not in before],
            [x for x in before if x not in after],
        )
        parts = [
            f"{plural(len(some), noun)} {did}"
            for some, did in ((added, "added"), (removed, "removed"))
            if some
        ]
        return ", ".join(parts) or f"{label} reordered"
    if name == "groups":
        return "all groups given" if isinstance(before, list) else "all groups taken"
    if before in (None, ""):
        return f"{label} {value(after)}"
    return f"{label} {value(before)} to {value(after)}"


def _settings(details: Details) -> str:
    """ ": “Invitations work for” 7 to 14", by the labels of the settings' pages."""
    before, after = details.get("before") or {}, details.get("after") or {}
    asked = {each.name.lower(): each for section in SECTIONS.values() for each in section.asked}
    parts = []
    for name in after:
        label = f"“{asked[name].label}”" if name in asked else words(name)
        was, now = (
            asked[name].choices.get(str(of), of) if name in asked else of
            for of in (before.get(name), after[name])
        )
        parts.append(f"{label} {value(was)} to {value(now)}")
    return f": {', '.join(parts)}" if parts else ""


def words(name: str) -> str:
    """A key of details as a person reads it."""
    return name.replace("_", " ")


LONGEST_VALUE = 60
"""Characters of a value within a sentence; all of it stands among the details."""


def value(of: Any) -> str:
    """A value of details as a person reads it, on one line and not too long."""
    if of is None or of == "" or of == []:
        return "nothing"
    if isinstance(of, bool):
        return "yes" if of else "no"
    if isinstance(of, list):
        return ", ".join(value(each) for each in of)
    if isinstance(of, dict):
        return ", ".join(f"{words(name)}: {value(each)}" for name, each in of.items())
    if isinstance(of, int):
        return f"{of:,}"
    return clipped(str(of), LONGEST_VALUE)


def _by_name(action: str) -> str:
    """ "group.renamed" -> "Renamed group {}"."""
    noun, _, verb = action.partition(".")
    return (
        f"{words(verb).capitalize()} {words(noun)} {{}}"
        if verb
        else f"{words(action).capitalize()} {{}}"
    )


def _n(name: str, noun: str, form: str = ": {}") -> Callable[[Details], str]:
    """A number of details with its noun; "" where it is missing."""

    def describe_detail(details: Details) -> str:
        n = details.get(name)
        return form.format(plural(n, noun)) if isinstance(n, int) else ""

    return describe_detail


def _quote(name: str, form: str) -> Callable[[Details], str]:
    def describe_detail(details: Details) -> str:
        text = details.get(name)
        return form.format(text) if text else ""

    return describe_detail


def _access(details: Details) -> str:
    after = details.get("after")
    if not isinstance(after, dict) or "role" not in after:
        return ""
    groups = after.get("groups")
    place = f", with {plural(len(groups), 'group')}" if isinstance(groups, list) and groups else ""
    return f" as {after['role']}{', with all groups' if isinstance(groups, str) else place}"


def _counts(details: Details) -> str:
    counts = details.get("counts") or {}
    parts = [
        plural(counts[plan], noun)
        for plan, noun in (("invite", "new invite"), ("update", "update"))
        if counts.get(plan)
    ]
    return f": {', '.join(parts)}" if parts else ""


def _outcomes(details: Details) -> str:
    outcomes = details.get("outcomes") or {}
    return (
        ": " + ", ".join(f"{n:,} {outcome}" for outcome, n in outcomes.items()) if outcomes else ""
    )


def _effect(details: Details) -> str:
    nouns = (("users", "user"), ("invitations", "invitation"), ("rows", "row"))
    parts = [plural(details[name], noun) for name, noun in nouns if details.get(name)]
    return f": {', '.join(parts)}" if parts else ""


def _describe_upload(details: Details) -> str:
    again = details.get("again")
    return _n("rows", "row", " with {}")(details) + (
        f", taken from upload {again} for another review" if again else ""
    )


def _describe_replacement(details: Details) -> str:
    old = _quote("before", " in place of “{}”")(details)
    return (
        old
        + _n("rows", "row")(details)
        + (_n("lost_edits", "edit", ", {} lost")(details) if details.get("lost_edits") else "")
    )


def _describe_cancelling(details: Details) -> str:
    return (
        _n("withdrawn", "invitation", ", {} withdrawn")(details) if details.get("withdrawn") else ""
    )


def _too_old(name: str, noun: str, form: str) -> Callable[[Details], str]:
    return lambda details: (
        _n(name, noun, form)(details) + _n("days", "day", " older than {}")(details)
    )


TEMPLATES: dict[str, tuple[str, Callable[[Details], str] | None]] = {
    "setup.done": ("Set Muster up", None),
    "organisation.changed": ("Changed settings", _settings),
    "session.started": ("Signed in", None),
    "session.ended": ("Signed out", None),
    "session.refused": ("Sign-in as {} refused: email or password is wrong", None),
    "password.refused": ("Own password typed wrong", None),
    "access.refused": ("Refused: the role does not include {}", None),
    "limit.refused": ("Refused, too often: {}", None),
    "rank.refused": ("Refused, ranked above: {}", None),
    "origin.refused": ("Refused: a form came from another site, {}", None),
    "link.refused": ("Refused: {} does not work", None),
    "password_reset.refused": (
        "Password reset for {} refused: no active user has this email, or it was requested too often",
        None,
    ),
    "second_factor.refused": ("Second step refused: the code is wrong", None),
    "user.changed": ("Changed {}", changes),
    "user.deactivated": ("Deactivated {}", None),
    "user.reactivated": ("Reactivated {}", None),
    "user.erased": ("Erased {}", None),
    "password.changed": ("Changed the password of {}", None),
    "password.reset_asked": ("Asked for a new password for {}", None),
    "password.link_made": ("Made a link for {} to reset their password", None),
    "email.change_asked": ("Asked to change the email of {}", None),
    "email.change_withdrawn": ("Withdrew the change of email of {}", None),
    "second_factor.on": ("Turned two-step sign-in of {} on", None),
    "second_factor.off": ("Turned two-step sign-in of {} off", None),
    "second_factor.codes_made": ("Made new recovery codes for {}", None),
    "second_factor.code_used": ("Used a recovery code of {}", None),
    "owner_link.made": ("Made a sign-in link for the Owner, {}", None),
    "owner_link.used": ("Signed in by the Owner’s link", None),
    "ownership.handed_over": ("Handed ownership over to {}", None),
    "role.created": ("Created the role {}", None),
    "role.changed": ("Changed the role {}", changes),
    "role.deleted": ("Deleted the role {}", None),
    "group.created": ("Created the group {}", None),
    "group.changed": ("Changed the group {}", changes),
    "group.merged": ("Merged the group {}", _quote("into", " into {}")),
    "group.deleted": ("Deleted the group {}", _effect),
    "alias.remembered": ("Had “{word}” mean {} from now on", None),
    "alias.forgotten": ("Had “{word}” mean {} no longer", None),
    "columns.remembered": ("Had the columns of {} remembered", None),
    "columns.forgotten": ("Had the columns of {} forgotten", None),
    "batch.uploaded": ("Uploaded {}", _describe_upload),
    "batch.staged": ("Prepared {}", _n("rows", "person")),
    "batch.changed": ("Changed how {} is applied", changes),
    "batch.matched": ("Matched the columns of {}", _n("rows", "row")),
    "batch.file_replaced": ("Uploaded {}", _describe_replacement),
    "batch.confirmed": ("Confirmed {}", _counts),
    "batch.paused": ("Paused {}", None),
    "batch.resumed": ("Resumed {}", None),
    "batch.cancelled": ("Cancelled {}", _describe_cancelling),
    "batch.discarded": ("Discarded {}", None),
    "batch.finished": ("Finished {}", _outcomes),
    "batch.reverted": ("Reverted {}", None),
    "batch.rows_deleted": ("Deleted the rows of {}", _too_old("rows", "row", ": {}")),
    "invitation.created": ("Invited {}", _access),
    "invitation.changed": ("Changed the invitation of {}", changes),
    "invitation.sent_again": ("Sent the invitation of {} again", None),
    "invitation.accepted": ("Accepted the invitation", _access),
    "invitation.closed": ("Closed the invitation of {}", _quote("reason", ": {}")),
    "invitation.reminded": ("Reminded {} of the invitation", None),
    "invitation.readdressed": ("Invited another address in place of {}", changes),
    "invitation.revoked": ("Revoked the invitation of {}", None),
    "invitation.link_copied": ("Copied the invitation link of {}", None),
    "invitation.link_on_sheet": ("Put the invitation link of {} on a sheet", None),
    "message.failed": ("Email to {} failed", _quote("reason", ": {}")),
    "message.test_queued": ("Sent a test to {}", None),
    "messages.retried": ("Sent failed emails of {} again", _n("messages", "email")),
    "messages.deleted": ("Deleted", _too_old("messages", "email", " {}")),
    "audit.exported": ("Exported the audit log", _n("events", "entry", ": {}")),
    "audit.begun_anew": (
        "Started a new chain of the audit log",
        _n("problems", "problem", ", with {} found before"),
    ),
    "audit.pruned": ("Deleted", _too_old("events", "audit entry", " {}")),
}
"""By action: the sentence, {} for its subject, and what of the details follows."""
