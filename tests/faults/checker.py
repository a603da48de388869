"""The judge: the mail server's own log against the database. It judges values, and knows no SQL.

lost     promised to somebody, and neither handed over nor told to have failed; or told to be sent, and no server ever had it
stuck    not at its end long after the fault is over, and the page names no moment at which it goes on
phantom  the mail server has it, and the database knows nothing of it, or that it never went
doubled  handed over more than once, though nobody was interrupted between the lease check before DATA and the commit after the
         server's answer; or without the mark, or under another Message-ID, or with another link
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

MARGIN = 0.5
"""Seconds by which the clocks of a note and of what it is about may differ: a note is written a little before or after."""
OPEN = ("queued", "sending")
LINK = re.compile(r"/invitations/([\w-]+)")


@dataclass(frozen=True)
class HandOver:
    """One time that a message came to the mail server's DATA, as its log tells it. Times are seconds of one clock."""

    recipient: str
    began: float
    message_id: str = ""
    token: str = ""
    whole: float | None = None
    """When the final dot was read."""
    taken: bool = False
    """Whether the server kept it: it said yes, or said nothing."""
    answered: float | None = None
    read: float | None = None
    """When the client went on: then it knew the answer, and had written it down."""


@dataclass(frozen=True)
class Mail:
    """A message as the database has it. may_go_on: it waits until a moment that the page names, which is still to come."""

    message_id: str
    recipient: str
    state: str
    answer: str = ""
    marked: bool = False
    """Whether the page says that its delivery is uncertain, or that it may have arrived."""
    may_go_on: bool = False
    token_hash: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class Interruption:
    """What the nemesis did to those that send: from when to when, and how many of them at most were in the midst of a message."""

    began: float
    ended: float
    senders: int = 1


@dataclass(frozen=True)
class Promise:
    """A row of a confirmed batch that invites: what the portal says became of it. outcome None: nobody has claimed it yet."""

    recipient: str
    outcome: str | None
    batch_is_open: bool = False


@dataclass
class Findings:
    """Each a sentence. `inside` are messages that came twice as they may; `uncertain` counts those that are marked."""

    invitations: int = 0
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    uncertain: int = 0

    @property
    def are_none(self) -> bool:
        return not (self.lost or self.stuck or self.phantom or self.doubled)

    def __str__(self) -> str:
        told = [f"{kind}: {one}" for kind in ("lost", "stuck", "phantom", "doubled") for one in getattr(self, kind)]
        return "\n".join(told) or "nothing"

    def counts(self) -> dict[str, int]:
        kinds = ("lost", "stuck", "phantom", "doubled", "inside")
        return {"invitations": self.invitations, "uncertain": self.uncertain} | {kind: len(getattr(self, kind)) for kind in kinds}


def judge(
    promises: Sequence[Promise],
    mails: Sequence[Mail],
    handed_over: Sequence[HandOver],
    interruptions: Iterable[Interruption] = (),
    refusals: Collection[str] = (),
    hashed: Callable[[str], str] = str,
) -> Findings:
    """refusals: to whom the server has said a final no, or its words. hashed: how the database keeps the token of a link.

    Call it when `stuck` is fair: long enough after the fault, or when nothing is open any more.
    """
    found = Findings(invitations=len(promises), uncertain=sum(mail.marked for mail in mails))
    taken: dict[str, list[HandOver]] = defaultdict(list)
    for each in sorted(handed_over, key=lambda each: each.began):
        if each.taken:
            taken[each.recipient].append(each)
    by_recipient: dict[str, list[Mail]] = defaultdict(list)
    for mail in mails:
        by_recipient[mail.recipient].append(mail)
    _promises(found, promises, by_recipient)
    for recipient, those in by_recipient.items():
        for mail in those:
            refused = any(one == recipient or one in mail.answer for one in refusals)
            _message(found, mail, taken[recipient], refused, handed_over)
    _phantoms(found, taken, {mail.message_id: mail for mail in mails}, hashed)
    _doubles(found, taken, {mail.message_id: mail for mail in mails}, list(interruptions))
    return found


def _promises(found: Findings, promises: Sequence[Promise], by_recipient: dict[str, list[Mail]]) -> None:
    for promise in promises:
        mails = by_recipient.get(promise.recipient, [])
        if len(mails) > 1:
            found.doubled.append(f"{promise.recipient} has {len(mails)} messages for one row")
        if promise.outcome is None:
            found.stuck.append(f"{promise.recipient}: nobody has worked on the row")
        elif not mails:
            found.lost.append(f"{promise.recipient}: the row is “{promise.outcome}” and there is no message")
        elif promise.outcome == "waiting" and all(mail.state not in OPEN for mail in mails):
            found.stuck.append(f"{promise.recipient}: the message is at its end and the row still waits")
        elif promise.batch_is_open and promise.outcome != "waiting" and all(p.outcome not in (None, "waiting") for p in promises):
            found.stuck.append(f"{promise.recipient}: every row is at its end and the batch is not finished")


def _message(found: Findings, mail: Mail, taken: list[HandOver], refused: bool, all_of_them: Sequence[HandOver]) -> None:
    came = [each for each in taken if each.message_id == mail.message_id]
    if mail.state in OPEN:
        if not mail.may_go_on:
            found.stuck.append(f"{mail.recipient}: “{mail.state}” ({mail.answer})")
    elif mail.state in ("sent", "written", "uncertain"):
        if not came:
            found.lost.append(f"{mail.recipient}: “{mail.state}” and the mail server never took it")
    elif mail.state == "failed":
        broken = [each for each in all_of_them if each.recipient == mail.recipient and not each.read]
        if not refused and not (mail.marked and len(broken) > 1):
            found.lost.append(f"{mail.recipient}: failed, though the mail server refused nothing ({mail.answer})")
    else:
        found.lost.append(f"{mail.recipient}: “{mail.state}”, and nobody asked for that ({mail.answer})")


def _phantoms(found: Findings, taken: dict[str, list[HandOver]], known: dict[str, Mail], hashed: Callable[[str], str]) -> None:
    for recipient, those in taken.items():
        for each in those:
            mail = known.get(each.message_id)
            if mail is None or mail.recipient != recipient:
                found.phantom.append(f"{recipient} got {each.message_id}, of which the database knows nothing")
            elif mail.token_hash and hashed(each.token) != mail.token_hash:
                found.phantom.append(f"{recipient} got a link that opens nothing")
            elif mail.state in ("failed", "cancelled") and not mail.marked:
                found.phantom.append(f"{recipient} got {each.message_id}, which is “{mail.state}”")


def _doubles(
    found: Findings,
    taken: dict[str, list[HandOver]],
    known: dict[str, Mail],
    interruptions: list[Interruption],
) -> None:
    left = Counter({place: each.senders for place, each in enumerate(interruptions)})
    for recipient, those in taken.items():
        if len(those) < 2:
            continue
        mail = known.get(those[0].message_id)
        if len({(each.message_id, each.token) for each in those}) > 1:
            found.doubled.append(f"{recipient} got {len(those)} messages with different Message-IDs or links")
        elif mail is None or not mail.marked:
            found.doubled.append(f"{recipient} got it {len(those)} times, and the page says nothing of that")
        elif not _are_excused(those, interruptions, left):
            found.doubled.append(f"{recipient} got it {len(those)} times, though nobody was interrupted between DATA and commit")
        else:
            found.inside.append(f"{recipient} got it {len(those)} times")


def _are_excused(those: list[HandOver], interruptions: list[Interruption], left: Counter[int]) -> bool:
    """Whether all but one of these hand-overs are each excused by what befell its sender.

    Where the server itself cut or hung, or its client was gone by then, nobody can have heard the answer. Else an interruption
    within the gap excuses as many hand-overs as there were senders.
    """
    heard = [each for each in those if each.answered is not None]
    needed = len(heard) - 1
    for each in heard:
        if needed <= 0:
            break
        written_down = each.read or float("inf")
        for place, one in enumerate(interruptions):
            if left[place] and one.began - MARGIN <= written_down and each.began - MARGIN <= one.ended:
                left[place] -= 1
                needed -= 1
                break
    return needed <= 0


def handed_over(events: Iterable[dict[str, Any]]) -> list[HandOver]:
    """The hand-overs of a mail server's log."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        number, at = event.get("number"), event["time"]
        if not number:
            continue
        match event["event"]:
            case "begun":
                found[number] = {"recipient": event["recipient"], "began": at}
            case "whole":
                found[number] |= {
                    "whole": at,
                    "taken": event["taken"],
                    "message_id": event["message_id"],
                    "token": event["token"],
                }
            case "answered":
                found[number] |= {"answered": at}
            case "read":
                found[number] |= {"read": at}
    return [HandOver(**each) for each in found.values()]


def refusals(events: Iterable[dict[str, Any]]) -> set[str]:
    """To whom the server has said a final no; where that was to the sender, what it said."""
    events = list(events)
    said = (event for event in events if event["event"] == "refused" and event["answer"].startswith("5"))
    no = {event["recipient"] or event["answer"] for event in said}
    after = {event["number"] for event in events if event["event"] == "answered" and event["answer"].startswith("5")}
    return no | {event["recipient"] for event in events if event["event"] == "whole" and event["number"] in after}


def written(folder: Path) -> list[HandOver]:
    """The same of .eml files: whole ones only, each once, since a second try overwrites the first."""
    found = []
    for file in folder.glob("*.eml"):
        mime = message_from_bytes(file.read_bytes(), policy=default)
        body = mime.get_body(("plain",))
        link = LINK.search(body.get_content() if body else "")
        at = file.stat().st_mtime
        token = link[1] if link else ""
        found.append(HandOver(str(mime["To"]), at, str(mime["Message-ID"]), token, whole=at, taken=True, answered=at, read=at))
    return found
