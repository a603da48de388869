"""What became of a message, and why sending is held up: from codes to sentences. Pure.

The mail server's own words are parameters.
"""

from __future__ import annotations

from webapp.core.text.phrases import CodedText, describe

PHRASES = {
    # what the mail server said to a message
    "accepted": "{words}",
    "deferred": "{words}",
    "refused": "Refused by the mail server ({words})",
    "smtputf8_missing": "The mail server does not take addresses with letters outside ASCII before the @ (it lacks SMTPUTF8).",
    "uncertain": "{server} broke off while the message was handed over ({cause}).",
    "uncertain_twice": "The connection broke twice during the hand-over: it may have arrived. Retry to send it once more",
    "given_up": "Put off by the mail server for a day ({answer})",
    # why sending is held up
    "unreachable": "{server} cannot be used ({cause}).",
    "broken": "{server} broke off ({cause}).",
    "stopped": "{server} does not go on ({words}).",
    "sender_refused": (
        "{server} refuses the sender {sender} ({words}). Set one that it lets pass: Account Settings, Email, or MUSTER_MAIL_FROM."
    ),
    "folder": "Emails cannot be written to {folder}: {words}.",
    # what Muster did
    "file": "Written as {name}",
    "invalid_address": "No email can be sent to “{address}”: it is not an address.",
    "not_built": "This email cannot be written: {words}",
    "failed_here": "Something went wrong on our side while it was written",
    # why a message is not sent any more
    "accepted_unsent": "The invitation was accepted before its email went",
    "revoked_unsent": "The invitation was revoked before its email went",
    "expired_unsent": "The invitation expired before its email went",
    "link_closed": "The link was used or withdrawn before its email went",
    "link_expired": "The link expired before its email went",
    "discarded_unsent": "The upload was discarded before its test went",
    "cancelled_unsent": "Cancelled before its email went",
    # what a row says of its message
    "due_again": "Due again at {clock}: {answer}",
    "sent_twice": "Delivery uncertain: sent again after an interruption",
}
MAYBE_SENT = "{text}. An earlier try broke off during the hand-over: it may have arrived"


def describe_mail(said: CodedText) -> str:
    """The sentence for a message's result, the alarm's cause, or what a row says of its message; "" for {}."""
    if not said:
        return ""
    params = dict(said)
    if "answer" in said:
        params["answer"] = describe_mail(said["answer"]).rstrip(".")
    text = describe(PHRASES, params)
    return MAYBE_SENT.format(text=text.rstrip(".")) if said.get("maybe_sent") else text
