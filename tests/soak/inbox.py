"""Notifications as shown, beside those of the oracle, which learns from it what it could not know."""

from tests.soak.oracle import Json, Notice, Oracle


def compare_inbox(oracle: Oracle, user_id: str, shown: list[Json], *, complete: bool) -> list[str]:
    """Return what is wrong with a list of the user's notifications; a complete one must have all that must come."""
    notices = oracle.notices_of(user_id)
    faults = []
    for item in shown:
        notice = notices.get(item["post_id"])
        if notice is None:
            faults.append(f"{user_id} is shown {item}, which nobody sent")
        else:
            faults += _compare(notice, item)
    stamps = [(item["created_at"], item["id"]) for item in shown]
    if stamps != sorted(stamps, reverse=True):
        faults.append(f"{user_id}'s notifications {stamps} are not in order")
    if complete:
        present = {item["post_id"] for item in shown}
        faults += [
            f"{user_id} misses {notice}"
            for post_id, notice in notices.items()
            if post_id not in present and (notice.certain or notice.arrived)
        ]
    return faults


def _compare(notice: Notice, item: Json) -> list[str]:
    if not notice.arrived:
        notice.arrived, notice.id, notice.created_at = True, item["id"], item["created_at"]
    if notice.is_read is None:
        notice.is_read = item["is_read"]
    right = (notice.id, notice.created_at, notice.message, notice.is_read)
    found = tuple(item[name] for name in ("id", "created_at", "message", "is_read"))
    return [] if found == right else [f"{item} is shown, not {notice}"]
