"""Words for rows: issues of cells, notes on the plan, and reasons of the outcome. Pure."""

from __future__ import annotations

from webapp.core.text import mail_phrases, phrases
from webapp.core.text.phrases import CodedText

PHRASES = {
    # an e-mail that does not pass
    "email_missing": "Email is missing.",
    "email_long": "Email is too long.",
    "email_without_at": "No @ in email.",
    "email_two_ats": "Two @ in email.",
    "email_several": "More than one email.",
    "email_invalid": "Not an email address.",
    "email_domain_incomplete": "Incomplete domain.",
    # other cells
    "cell_long": "Too long: a cell holds at most {most:,} characters.",
    "name_long": "Over {most} characters.",
    "name_lines": "Has a line break.",
    "role_missing": "Role is missing.",
    "role_several": "One role a person.",
    "role_unknown": "Not a role.",
    "groups_many": "Too long: a cell holds at most {most:,} groups.",
    "groups_unknown": "{n:No such group|{n} groups do not exist}.",
    "all_groups_alone": "“All groups” stands alone, or not at all.",
    # what the plan says of a row
    "all_groups_kept": "Has All groups: single groups cannot be taken from that.",
    "deactivated": "This account is deactivated. Reactivate it, or remove the row.",
    "domain_not_allowed": "Domain not allowed here.",
    "duplicate": "Same email as row {row}.",
    "duplicate_differs": "Same email as row {row}, with another role or groups.",
    "grant_more": "{role} ranks above your own role, or may do more.",
    "grant_owner": "Owner cannot be assigned.",
    "grant_rank": "{role} ranks above your own role.",  # of earlier versions
    "nobody_to_remove_from": "Nobody to remove from.",
    "owner": "The Owner cannot be changed.",
    "own_role": "You cannot change your own role.",
    "rank": "You cannot change people with the role {role}: it ranks above yours.",
    # why an action does not go for somebody
    "deactivated_person": "This account is deactivated. Reactivate it first.",
    "expired": "This invitation has expired. Resend it first.",
    "former_role_gone": "The former role is not there any more.",
    "group_gone": "A group of this action is not there any more.",  # of earlier versions
    "invitation_accepted": "This invitation was accepted.",
    "invitation_revoked": "This invitation was revoked.",
    "not_an_invitation": "Not an invitation.",
    "not_a_user": "Not a user yet.",
    "not_a_user_revoke": "Not a user yet: an invitation is revoked instead.",
    "own_account": "You cannot deactivate yourself.",
    "person_gone": "This person is not here any more.",
    "resend_limit": "This invitation was sent {most} times again within an hour. Wait a while, or copy its link.",
    "role_gone": "This role or group is not there any more.",
    # why something is not reverted
    "accepted_since": "Accepted since.",
    "changed_since": "Changed since.",
    "original_unknown": "What was done to this person is not known any more.",
    "resent_since": "Sent again since.",
    # notes on the plan
    "again": "Its email failed; it is sent again",
    "merge": "Only the groups differ",
    "role_kept": "File says {role}",
    # what came of a row
    "already_as_file": "Already as the file wants",
    "already_so": "Already so",
    "cancelled": "Cancelled before it was done",
    "changed": "Changed since the review",
    "erased": "This person was erased",
    "failed": "Something went wrong on our side. Nothing was done for this row",
    "may_not_do": "{name} may no longer do this",
    "may_not_grant": "{name} may not grant or change this role",
    "may_not_invite": "{name} may no longer invite",
    "resent": "Sent again since the review",
    # a single invitation
    "has_account": "This person already has an account.",
    "is_invited": "This person is already invited.",
    "proof": "Type your password: this person becomes {role}.",
    "same_address": "This invitation has that address already. Type another, or resend it.",
}

_CHANGES = {
    "deactivate": "deactivated",
    "reactivate": "reactivated",
    "revoke": "invitation revoked",
    "role": "role {role[0]} to {role[1]}",
    "added": "added {names}",
    "removed": "removed {names}",
}


def describe(said: CodedText) -> str:
    """An issue, a note or a reason as a sentence; also what became of the row's message."""
    if said["code"] in mail_phrases.PHRASES:
        return mail_phrases.describe_mail(said)
    if said["code"] == "updated":
        return _describe_changes(said)
    shown = dict(said)
    if "at" in said:  # earlier versions stored who changed a person, and when
        shown["code"] = "changed_since"
    return phrases.describe(PHRASES, shown)


def _describe_changes(said: CodedText) -> str:
    """What an update did: "Role Analyst to Remote; added Library, Labs; removed Year 4 iPads"."""
    parts = []
    for change in said["changes"]:
        names = ", ".join(change.get("groups", ()))
        parts.append(phrases.describe(_CHANGES, {**change, "names": names}))
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]
