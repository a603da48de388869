"""An audit event as a sentence: "Changed Hannah Whitcombe: role Analyst to Admin, 2 groups added"."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from webapp.core.text.formatting import clipped, plural
from webapp.core.text.phrases import describe_counts
from webapp.settings.pages import SECTIONS

Details = Mapping[str, Any]

LONGEST_VALUE = 60
"""Characters of a value within a sentence. The details show all of it."""

SENTENCES = {
    "setup.done": "Set Muster up",
    "organisation.changed": "Changed settings: {changes}",
    "session.started": "Signed in: {via}",
    "session.ended": "Signed out",
    "session.refused": "Sign-in as {} refused: email or password is wrong",
    "session.proven": "Signed in again to show who it is",
    "sso.refused": "Sign-in with an account elsewhere refused: {}",
    "identity.connected": "Connected an account elsewhere with {}: {issuer}",
    "identity.disconnected": "Disconnected an account elsewhere from {}: {issuer}",
    "password.refused": "Own password typed wrong",
    "access.refused": "Refused, the role does not include it: {}",
    "limit.refused": "Refused, too often: {}",
    "rank.refused": "Refused, ranked above: {}",
    "origin.refused": "Refused: a form came from another site, {}",
    "link.refused": "Refused: {} does not work",
    "password_reset.refused": "Password reset for {} refused: no active user has this email, or it was requested too often",
    "second_factor.refused": "Second step refused: the code is wrong",
    "token.made": "Made the API token “{token}” for {}",
    "token.revoked": "Revoked the API token “{token}” of {}",
    "token.refused": "API call refused: the token is wrong, expired or revoked",
    "service_account.created": "Created the service account {}: {changes}",
    "service_account.removed": "Removed the service account {}: {counts}",
    "user.changed": "Changed {}: {changes}",
    "user.deactivated": "Deactivated {}",
    "user.reactivated": "Reactivated {}",
    "user.erased": "Erased {}",
    "sessions.ended": "Ended sessions of {}: {counts}",
    "password.changed": "Changed the password of {}",
    "password.reset_asked": "Asked for a new password for {}",
    "password.link_made": "Made a link for {} to reset their password",
    "email.change_asked": "Asked to change the email of {}",
    "email.change_withdrawn": "Withdrew the change of email of {}",
    "second_factor.on": "Turned two-step sign-in of {} on",
    "second_factor.off": "Turned two-step sign-in of {} off",
    "second_factor.codes_made": "Made new recovery codes for {}",
    "second_factor.code_used": "Used a recovery code of {}",
    "owner_link.made": "Made a sign-in link for the Owner, {}",
    "owner_link.used": "Signed in by a sign-in link",
    "ownership.handed_over": "Handed ownership over to {}",
    "role.created": "Created the role {}",
    "role.changed": "Changed the role {}: {changes}",
    "role.deleted": "Deleted the role {}",
    "group.created": "Created the group {}",
    "group.changed": "Changed the group {}: {changes}",
    "group.merged": "Merged the group {} into {into}",
    "group.deleted": "Deleted the group {}: {counts}",
    "alias.remembered": "Had “{word}” mean {} from now on",
    "alias.forgotten": "Had “{word}” mean {} no longer",
    "columns.remembered": "Had the columns of {} remembered",
    "columns.forgotten": "Had the columns of {} forgotten",
    "batch.uploaded": "Uploaded {}: {counts}",
    "batch.staged": "Prepared {}: {counts}",
    "batch.changed": "Changed how {} is applied: {changes}",
    "batch.matched": "Matched the columns of {}: {counts}",
    "batch.file_replaced": "Uploaded {} in place of “{before}”: {counts}",
    "batch.confirmed": "Confirmed {}: {counts}",
    "batch.paused": "Paused {}",
    "batch.resumed": "Resumed {}",
    "batch.cancelled": "Cancelled {}: {counts}",
    "batch.discarded": "Discarded {}",
    "batch.finished": "Finished {}: {counts}",
    "batch.reverted": "Reverted {}",
    "batch.rows_deleted": "Deleted the rows of {}: {counts}",
    "invitation.created": "Invited {}: {changes}",
    "invitation.changed": "Changed the invitation of {}: {changes}",
    "invitation.sent_again": "Sent the invitation of {} again",
    "invitation.accepted": "Accepted the invitation: {changes}",
    "invitation.closed": "Closed the invitation of {}: {reason}",
    "invitation.reminded": "Reminded {} of the invitation",
    "invitation.readdressed": "Invited another address in place of {}: {changes}",
    "invitation.revoked": "Revoked the invitation of {}",
    "invitation.link_copied": "Copied the invitation link of {}",
    "invitation.link_on_sheet": "Put the invitation link of {} on a sheet",
    "message.failed": "Email to {} failed: {reason}",
    "message.test_queued": "Sent a test to {}",
    "messages.retried": "Sent failed emails of {} again: {counts}",
    "messages.deleted": "Deleted old emails: {counts}",
    "webhook.added": "Added the webhook {}",
    "webhook.changed": "Changed the webhook {}: {changes}",
    "webhook.secret_made": "Made a new secret for the webhook {}",
    "webhook.tested": "Sent a test to the webhook {}",
    "webhook.skipped": "Skipped an event of the webhook {}: {type}",
    "webhook.turned_on": "Turned the webhook {} on",
    "webhook.turned_off": "Turned the webhook {} off: it takes no events",
    "webhook.deleted": "Deleted the webhook {}",
    "audit.exported": "Exported the audit log",
    "audit.begun_anew": "Started a new chain of the audit log: {counts}",
    "audit.pruned": "Deleted old audit entries: {counts}",
}
"""By the action that `services.audit.events.record` is given. {} is the subject, {changes} what differs between before and
after, {counts} the numbers in COUNTS, and every other name in braces a detail of the event. What follows a colon may be
missing."""

COUNTS = {
    "rows": "{n} {n:row|rows}",
    "lost_edits": "{n} {n:edit|edits} lost",
    "sessions": "{n} {n:session|sessions}",
    "tokens_revoked": "{n} {n:token|tokens} revoked",
    "users": "{n} {n:user|users}",
    "invitations": "{n} {n:invitation|invitations}",
    "withdrawn": "{n} {n:invitation|invitations} withdrawn",
    "messages": "{n} {n:email|emails}",
    "events": "{n} {n:entry|entries}",
    "problems": "{n} {n:problem|problems} found before",
    "days": "older than {n} {n:day|days}",
    "invite": "{n} new {n:invite|invites}",
    "update": "{n} {n:update|updates}",
    "invited": "{n:,} invited",
    "updated": "{n:,} updated",
    "unchanged": "{n:,} unchanged",
    "skipped": "{n:,} skipped",
    "failed": "{n:,} failed",
}

RUNS = {
    "invitation.created": "{n} invited",
    "invitation.sent_again": "{n} {n:invitation|invitations} sent again",
    "invitation.reminded": "{n} reminded",
    "invitation.changed": "{n} {n:invitation|invitations} changed",
    "invitation.closed": "{n} {n:invitation|invitations} closed",
    "invitation.revoked": "{n} {n:invitation|invitations} revoked",
    "user.changed": "{n} {n:user|users} changed",
    "user.deactivated": "{n} deactivated",
    "user.reactivated": "{n} reactivated",
    "other": "{n} other {n:entry|entries}",
}
"""What one upload did to many people, by the action."""

DOORS = {"oidc": "at the provider", "proxy": "by the proxy in front"}
"""How somebody signed in, where that was not by password."""

_SETTINGS = {
    field.name.lower(): f"“{field.label}”"
    for section in SECTIONS.values()
    for field in section.asked
}
"""The labels of the settings' pages, by name."""


def describe(action: str, details: Details, count: int = 1, subject: str = "") -> list[str]:
    """What happened: the parts of a sentence before and after the subject, or one part if it does not name it.

    `subject.join(parts)` is the whole sentence. An action that is not known here is shown by its own name.
    """
    texts = defaultdict(str, details)
    labels = _SETTINGS if action == "organisation.changed" else {}
    texts["changes"] = ", ".join(_list_changes(details, labels))
    texts["via"] = DOORS.get(details.get("via", ""), "")
    texts["counts"] = ", ".join(_list_counts(details))
    sentence = SENTENCES.get(action, f"{action} {{}}")
    parts = [part.format_map(texts) for part in sentence.split("{}")]
    parts[-1] = parts[-1].removesuffix(": ")
    if count > 1:
        parts[-1] += f" ({count:,} times within the hour)"
    return parts if subject else ["".join(parts).rstrip()]


def describe_run(actions: Iterable[str]) -> str:
    """What these events did, in one line: "5 invited, 1 user changed"."""
    known = Counter(action if action in RUNS else "other" for action in actions)
    return ", ".join(describe_counts(RUNS, {action: known[action] for action in RUNS}))


def _list_counts(details: Details) -> list[str]:
    numbers = {**details, **details.get("counts", {}), **details.get("outcomes", {})}
    counts = {name: numbers[name] for name in COUNTS if isinstance(numbers.get(name), int)}
    return describe_counts(COUNTS, counts)


def _list_changes(details: Details, labels: Mapping[str, str]) -> list[str]:
    """["role Analyst to Admin", "2 groups added"]; empty where the details have no fields afterwards."""
    changes: list[str] = []
    for name, was, now in compare(details):
        if now not in (None, was):
            changes += _describe_change(labels.get(name, words(name)), was, now)
    return changes


def compare(details: Details) -> list[tuple[str, Any, Any]]:
    """Each field of before and after: its name, and both values; None where only the other side is known."""
    before = _list_fields(details.get("before"))
    after = _list_fields(details.get("after"))
    return [(name, before.get(name), after.get(name)) for name in after | before]


def _list_fields(side: Any) -> dict[str, Any]:
    if isinstance(side, dict):
        return side
    return {"file": side} if side else {}


def _describe_change(label: str, before: Any, after: Any) -> list[str]:
    if isinstance(after, list):
        earlier = before if isinstance(before, list) else []
        counts = {
            "added": sum(each not in earlier for each in after),
            "removed": sum(each not in after for each in earlier),
        }
        noun = label.removesuffix("s")
        return [f"{plural(n, noun, label)} {what}" for what, n in counts.items() if n]
    new = clipped(value(after), LONGEST_VALUE)
    if before in (None, ""):
        return [f"{label} {new}"]
    old = clipped(value(before), LONGEST_VALUE)
    return [f"{label} {old} to {new}"]


def words(name: str) -> str:
    """A key of details as a person reads it."""
    return name.replace("_", " ")


def value(of: Any) -> str:
    """A value of details as a person reads it."""
    if of in (None, "", []):
        return "nothing"
    if isinstance(of, bool):
        return "yes" if of else "no"
    if isinstance(of, list):
        return ", ".join(value(each) for each in of)
    if isinstance(of, dict):
        return ", ".join(f"{words(name)}: {value(each)}" for name, each in of.items())
    if isinstance(of, int):
        return f"{of:,}"
    return str(of)
