"""Single sign-on: an account elsewhere signs a person in, and accepts their invitation the first time.

Every door ends in `enter`: a provider (OpenID Connect), a proxy that names people in a header, and the directory (LDAP).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Delete, delete, select

from webapp.core.addresses import key_of
from webapp.core.errors import ConflictError, MusterError, RuleViolationError
from webapp.core.plan.claims import Claims, choose_groups, choose_role
from webapp.core.plan.registry import ALL_GROUPS
from webapp.core.security import passwords
from webapp.core.text.entry_phrases import describe_refusal
from webapp.db import begin_write, db, utcnow
from webapp.models import Door, Group, Identity, Invitation, Role, Session, User, UserState
from webapp.services.accounts import profile, sessions
from webapp.services.audit import events
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.settings import in_force

PROXY = "proxy"
"""The issuer of those whom the proxy in front names."""
LDAP = "ldap"
"""The issuer of those who have their password in the organisation's directory."""


class EntryRefusedError(MusterError):
    """Who comes from elsewhere does not get in.

    code: why, by `core.text.entry_phrases`. label: who and why, for the audit log.
    """

    status = 422

    def __init__(self, code: str, claims: Claims | None = None) -> None:
        email = claims.email if claims else ""
        issuer = claims.issuer if claims else issuer_now()
        subject = claims.subject if claims else ""
        super().__init__(describe_refusal(code, name_of(issuer), email))
        self.code = code
        why = code.replace("_", " ")
        self.label = f"{email or subject} ({why})".strip()


class Entry(NamedTuple):
    """Who got in, and whether they joined by it."""

    user: User
    has_joined: bool


class Trial(NamedTuple):
    """What claims would come to: whose account it is, or why nobody's; the groups and the role that they give."""

    who: str
    why: str
    groups: list[str]
    role: str


def issuer_now() -> str:
    """The provider's issuer as identities have it; "" without one."""
    return in_force.environment().oidc_issuer.rstrip("/")


def name_of(issuer: str) -> str:
    """What accounts of an issuer are called."""
    names = {PROXY: "the proxy in front", LDAP: "the directory"}
    return names.get(issuer) or in_force.environment().oidc_name


def door_of(claims: Claims) -> Door:
    """By which door somebody comes."""
    return Door.PROXY if claims.issuer == PROXY else Door.OIDC


def find_identities(user: User) -> list[Identity]:
    """The accounts elsewhere that sign this person in now: of today's provider, of the proxy and of the directory."""
    settings = in_force.environment()
    issuers = [issuer_now()] if settings.oidc_issuer else []
    issuers += [PROXY] if settings.proxy_email_header else []
    issuers += [LDAP] if settings.ldap_url else []
    is_theirs = Identity.user_id == user.id, Identity.issuer.in_(issuers)
    return list(db.session.scalars(select(Identity).where(*is_theirs).order_by(Identity.id)))


def enter(claims: Claims, link: str = "") -> Entry:
    """Sign in by an account elsewhere: a known one, else by an invitation's link, else by a verified e-mail.

    Groups and role follow the claims where settings say so. link: the token of the invitation by which they came: its
    mailbox is theirs, so the e-mail that the provider knows does not matter. Raises EntryRefusedError.
    """
    passwords.dummy_hash()  # slow the first time: no transaction is open
    begin_write()
    try:
        entry = _find_known(claims) or _follow_link(claims, link) or _follow_email(claims)
    except EntryRefusedError:
        db.session.rollback()
        raise
    if _follow_claims(entry.user, claims) or entry.has_joined:
        lookup.bump_version()
    db.session.commit()
    return entry


def connect(user: User, claims: Claims) -> None:
    """Have an account elsewhere sign in the person who is signed in now. Raises EntryRefusedError if it is somebody else's."""
    begin_write()
    known = _get(claims)
    if known and known.user_id != user.id:
        db.session.rollback()
        raise EntryRefusedError("taken", claims)
    if not known:
        db.session.execute(_delete(user, Identity.issuer == claims.issuer))
        _add(user, claims, "by themselves")
    db.session.commit()


def disconnect(user: User, identity_id: int) -> None:
    """End that an account elsewhere signs this person in. Raises RuleViolationError for one without a password."""
    begin_write()
    if not user.has_password:
        raise RuleViolationError(
            "Choose a password first: without one, only this account signs you in.", field="current"
        )
    found = db.session.get(Identity, identity_id)
    if found and found.user_id == user.id:
        db.session.execute(_delete(user, Identity.id == identity_id))
        events.record(user, "identity.disconnected", user, issuer=found.issuer)
    db.session.commit()


def get_connected_user(user_id: int, by: User) -> User:
    """A person whom `by` may disconnect. Raises NotFoundError, ForbiddenError if they do not rank below, ConflictError."""
    user = profile.get_user_below(user_id, by)
    if not find_identities(user):
        raise ConflictError("No account elsewhere signs this person in.")
    return user


def reset(user_id: int, by: User) -> None:
    """Disconnect somebody whose account elsewhere is another one now, and sign them out. Raises as `get_connected_user` does."""
    begin_write()
    user = get_connected_user(user_id, by)
    for identity in find_identities(user):
        db.session.delete(identity)
        events.record(by, "identity.disconnected", user, issuer=identity.issuer)
    ended = sessions.end_all(user)
    if ended:
        events.record(by, "sessions.ended", user, sessions=ended)
    db.session.commit()


def prove(user: User, session_id: int, claims: Claims, signed_in_at: int | None) -> None:
    """Note that a person has just signed in at the provider again. signed_in_at: its auth_time, seconds since 1970.

    Raises EntryRefusedError if somebody else did, or if it does not say when.
    """
    begin_write()
    known = _get(claims)
    code = "" if known and known.user_id == user.id else "not_yours"
    moment = utcnow()
    if not code and signed_in_at is None:
        code = "stale"
    if code:
        db.session.rollback()
        raise EntryRefusedError(code, claims)
    session = db.session.get(Session, session_id)
    if session:
        latest = min(signed_in_at or 0, moment.timestamp())  # its clock may be ahead
        session.proven_at = datetime.fromtimestamp(max(0, latest), UTC)
        events.record(user, "session.proven", user)
    db.session.commit()


def try_claims(claims: Claims) -> Trial:
    """What would come of these claims; nothing is changed."""
    begin_write()
    who = why = ""
    try:
        entry = _find_known(claims) or _follow_email(claims)
        who = entry.user.email
    except EntryRefusedError as refusal:
        why = str(refusal)
    registry = lookup.registry()
    groups = choose_groups(registry, claims, "replace", ())
    lowest = registry.roles[-1].id
    role = choose_role(registry, claims, in_force.environment().oidc_max_role, lowest)
    db.session.rollback()
    return Trial(
        who=who,
        why=why,
        groups=[registry.group_by_id[each].name for each in groups],
        role=registry.role_by_id[role].name if claims.roles else "",
    )


def _get(claims: Claims) -> Identity | None:
    is_there = Identity.issuer == claims.issuer
    is_it = Identity.subject == claims.subject
    return db.session.scalar(select(Identity).where(is_there, is_it))


def _find_known(claims: Claims) -> Entry | None:
    """Who is known by this account. E-mail and link do not matter then. Does not commit."""
    known = _get(claims)
    if known is None:
        return None
    if known.user.state is not UserState.ACTIVE:
        raise EntryRefusedError("deactivated", claims)
    known.seen_at = utcnow()
    return Entry(known.user, has_joined=False)


def _follow_link(claims: Claims, link: str) -> Entry | None:
    invitation = invitations.find_by_token(link) if link else None
    if invitation is None or invitations.link_state(invitation) != "open":
        return None
    return _accept(invitation, claims)


def _follow_email(claims: Claims) -> Entry:
    """The active user or the pending invitation of a verified e-mail. Does not commit."""
    if not claims.email:
        raise EntryRefusedError("no_email", claims)
    if claims.is_verified is False and in_force.environment().oidc_email != "trusted":
        raise EntryRefusedError("unverified", claims)
    # any domain passes, as for signing in by password
    domain = claims.email.rpartition("@")[2].lower()
    key = key_of(claims.email, (domain,)) or ""
    user = db.session.scalar(select(User).where(User.email_key == key))
    if user:
        _refuse_linking(user, claims)
        _add(user, claims, "by email")
        return Entry(user, has_joined=False)
    is_its = Invitation.email_key == key
    promised = select(Invitation).where(invitations.IS_PENDING, is_its)
    invitation = db.session.scalar(promised)
    if invitation is None:
        raise EntryRefusedError("uninvited", claims)
    if invitation.is_expired:
        raise EntryRefusedError("expired", claims)
    return _accept(invitation, claims)


def _refuse_linking(user: User, claims: Claims) -> None:
    """Refuse to take an account for a user's by its e-mail alone, where more than an e-mail is needed."""
    is_theirs = Identity.user_id == user.id
    is_there = Identity.issuer == claims.issuer
    if user.state is not UserState.ACTIVE:
        raise EntryRefusedError("deactivated", claims)
    if user.role.is_owner:
        raise EntryRefusedError("owner", claims)
    if user.has_second_factor:
        raise EntryRefusedError("second_factor", claims)
    others = select(Identity.id).where(is_theirs, is_there)
    if db.session.scalar(others):
        raise EntryRefusedError("other_account", claims)


def _accept(invitation: Invitation, claims: Claims) -> Entry:
    name = claims.name or invitation.name or invitation.email
    nobodys = passwords.dummy_hash()
    user = invitations.join(invitation, name, nobodys, has_password=False)
    _add(user, claims, "by the invitation")
    return Entry(user, has_joined=True)


def _add(user: User, claims: Claims, how: str) -> None:
    identity = Identity(user_id=user.id, issuer=claims.issuer, subject=claims.subject)
    db.session.add(identity)
    events.record(user, "identity.connected", user, issuer=claims.issuer, how=how)


def _delete(user: User, which: ColumnElement[bool]) -> Delete:
    return delete(Identity).where(Identity.user_id == user.id, which)


def _follow_claims(user: User, claims: Claims) -> bool:
    """Give role and groups as the provider says, never to the Owner. Does not commit. -> whether anything changed."""
    if user.role.is_owner or claims.issuer != issuer_now():
        return False
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    _follow_role(user, claims, before, after)
    _follow_groups(user, claims, before, after)
    if after:
        events.record(user, "user.changed", user, before=before, after=after, by="claims")
    return bool(after)


def _follow_role(user: User, claims: Claims, before: dict[str, Any], after: dict[str, Any]) -> None:
    highest = in_force.environment().oidc_max_role
    role_id = choose_role(lookup.registry(), claims, highest, user.role_id)
    if role_id == user.role_id:
        return
    before["role"] = user.role.name
    user.role = db.session.get_one(Role, role_id)
    after["role"] = user.role.name


def _follow_groups(
    user: User, claims: Claims, before: dict[str, Any], after: dict[str, Any]
) -> None:
    mode = in_force.environment().oidc_groups
    if claims.groups is None or mode == "off":
        return
    if user.all_groups and mode == "add":
        return
    has = {group.id for group in user.groups}
    groups = choose_groups(lookup.registry(), claims, mode, has)
    if groups == has and not user.all_groups:
        return
    before["groups"] = _name_groups(user)
    user.all_groups = False
    user.groups = [db.session.get_one(Group, each) for each in sorted(groups)]
    after["groups"] = _name_groups(user)


def _name_groups(user: User) -> str | list[str]:
    if user.all_groups:
        return ALL_GROUPS
    return [group.name for group in user.groups]
