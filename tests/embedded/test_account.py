"""As whom PostgreSQL runs: every account on offer really runs it, and there are words for the case that none does."""

import os
import subprocess
from pathlib import Path

from app.embedded.account import LAUNCHER, Account, _candidates, _refusal, give
from app.embedded.cluster import programs
from app.embedded.launch import CLOSED, DENIED

NOBODY = 65534


def test_every_account_on_offer_runs_postgresql_or_says_why_not(tmp_path: Path) -> None:
    program = programs() / "postgres"
    offers = list(_candidates(tmp_path, root_allowed=False))
    assert offers
    answers = [
        subprocess.run(
            [*LAUNCHER, *account.arguments, f"--needs={program}", "--", str(program), "--version"],
            capture_output=True,
            check=False,
        )
        for account in offers
    ]
    assert {answer.returncode for answer in answers} <= {0, CLOSED, DENIED}
    assert any(answer.stdout.startswith(b"postgres (PostgreSQL) 18.") for answer in answers)


def test_files_are_given_to_the_account_that_needs_them_by_root_alone(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "link").symlink_to("/")
    mine = os.geteuid()
    account = Account(name="other", uid=NOBODY if mine == 0 else mine, gid=os.getegid())
    give(tmp_path, account)
    assert {path.lstat().st_uid for path in (tmp_path, *tmp_path.rglob("*"))} == {account.uid}
    assert Path("/").stat().st_uid == 0


def test_a_closed_folder_is_named_with_the_ways_out() -> None:
    said = _refusal(0, {"postgres": "/root"})
    assert "the account 'postgres' may not enter /root" in said
    assert "chmod o+x /root" in said
    assert "DATABASE_URL" in said


def test_an_account_without_a_name_is_told() -> None:
    assert "number 4711 has none in /etc/passwd" in _refusal(4711, {})


def test_a_system_without_any_account_is_told_in_words() -> None:
    assert "Start Inkfold as an ordinary user" in _refusal(0, {})
