"""Running as root without running the parts as root.

PostgreSQL refuses to run as root and Mosquitto gives root up, so as root both run as the system user `svitlo`. That
user must be able to walk to its files. Opening a private directory to everybody (chmod) would be the wrong way; it is
let through alone, by a POSIX ACL entry that grants nothing but passage.
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import stat
import struct
import subprocess
from pathlib import Path

from svitlo.errors import StackError

NAME = "svitlo"

_ACL = "system.posix_acl_access"
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_PASS = 1


def owner() -> tuple[int, int] | None:
    """User and group id the parts run as when we are root, made if missing; None when we are not root.

    Raises `StackError` when the user cannot be created.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        _create()
        entry = pwd.getpwnam(NAME)
    return entry.pw_uid, entry.pw_gid


def give(path: Path) -> None:
    """Make the system user own `path` (as root), and let it walk there. Raises `StackError`."""
    ids = owner()
    if ids is not None:
        os.chown(path, *ids)
        let_pass(path)


def let_pass(path: Path) -> None:
    """Let the system user walk to `path` through directories closed to it. Raises `StackError` with advice."""
    ids = owner()
    if ids is None:
        return
    for directory in path.resolve().parents:
        mode = directory.stat().st_mode
        if mode & stat.S_IXOTH:
            continue
        try:
            _grant_passage(directory, ids[0])
        except OSError as error:
            raise StackError(
                f"the system user {NAME!r} cannot pass through {directory} ({error.strerror}); choose a place that "
                "others may enter, such as /var/lib/svitlo, or run as an ordinary user"
            ) from error


def _create() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    if shutil.which("useradd") is None:
        command = ["adduser", "-S", "-D", "-H", NAME]
    done = subprocess.run(command, capture_output=True, check=False)
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        reason = done.stderr.decode(errors="replace").strip()
        raise StackError(f"the system user {NAME!r} could not be created: {reason}") from None


def _grant_passage(directory: Path, uid: int) -> None:
    """Add `user:<uid>:--x` to a directory's access ACL (Linux, acl(5); xattr format version 2)."""
    try:
        raw = os.getxattr(directory, _ACL)
        entries = [struct.unpack_from("<HHI", raw, at) for at in range(4, len(raw), 8)]
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = directory.stat().st_mode
        entries = [
            (_USER_OBJ, mode >> 6 & 7, _NO_ID),
            (_GROUP_OBJ, mode >> 3 & 7, _NO_ID),
            (_OTHER, mode & 7, _NO_ID),
        ]
    # A later chmod narrows the mask and so takes the passage away although its entry is still there.
    masked = all(perm & _PASS for tag, perm, _ in entries if tag == _MASK)
    if masked and any(tag == _USER and who == uid and perm & _PASS for tag, perm, who in entries):
        return
    kept = [entry for entry in entries if entry[0] != _MASK and not (entry[0] == _USER and entry[2] == uid)]
    kept.append((_USER, _PASS, uid))
    mask = 0
    for tag, perm, _ in kept:
        if tag in (_USER, _GROUP_OBJ, _GROUP):
            mask |= perm
    kept.append((_MASK, mask, _NO_ID))
    kept.sort()
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in kept)
    os.setxattr(directory, _ACL, packed)
