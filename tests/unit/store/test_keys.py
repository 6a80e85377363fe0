"""The encrypted key file: shows nothing, survives every step, and is not believed when it was altered or put back."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, SecurityError, SecurityWarning
from cosem.protocol.crypto.elliptic import P_256, PrivateKey
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.ring import KeyKind, KeyName, KeyRing, KeyState, candidates
from cosem.store import keys
from cosem.store.keys import FileKeyRing
from disk import After, MemoryDisk, PowerLoss, backup_of, put_back

METER = b"KFM\0\0\0\0\1"
FILE_KEY = Key(b"the key of a file has 32 octets.")
PASSPHRASE = Secret(b"correct horse battery")
EK, NEW_EK = Key(b"an encrypting k."), Key(b"the next encr. k")
PRIVATE = PrivateKey(P_256, b"\1and a private key has 32 octets")
KINDS: tuple[tuple[KeyKind, Secret], ...] = (
    (KeyKind.ENCRYPTION, EK),
    (KeyKind.BROADCAST, Key(b"one for all.....")),
    (KeyKind.AUTHENTICATION, Key(b"an authentic. k. an authentic. k")),
    (KeyKind.MASTER, Key(b"a key for keys..")),
    (KeyKind.SIGNING, PRIVATE),
    (KeyKind.AGREEMENT, PRIVATE),
)


def ring(path: Path, secret: Secret = FILE_KEY, **options: bool) -> FileKeyRing:
    return FileKeyRing(path, secret, create=True, **options)


def forms(octets: bytes) -> tuple[bytes, ...]:
    """Return octets as they could stand somewhere: raw, in hex, in base64 from any place on."""
    encoded = [base64.b64encode(octets[start:])[:16] for start in range(3)]
    return octets, octets.hex().encode(), octets.hex().upper().encode(), *encoded


@pytest.mark.parametrize("secret", [FILE_KEY, PASSPHRASE], ids=["key", "passphrase"])
def test_keys_of_every_kind_are_there_again_and_no_octet_of_them_is_on_the_disk(secret: Secret, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first: KeyRing = ring(path, secret)
    names = [first.add(METER, kind, key) for kind, key in KINDS]
    again = FileKeyRing(path, secret)
    for name, (_, key) in zip(names, KINDS, strict=True):
        expected = key if isinstance(key, Key) else Key(key.reveal())
        assert again.fingerprint(name) == expected.fingerprint
    assert again.signer(names[4]).public == PRIVATE.public
    assert sorted(each.name for each in tmp_path.iterdir()) == ["keys", "keys.lock", "keys.witness"]
    for file in tmp_path.iterdir():
        octets = file.read_bytes()
        for _, key in (*KINDS, (None, secret)):
            assert not any(form in octets for form in forms(key.reveal())), file.name
        if os.name == "posix":
            assert file.stat().st_mode & 0o777 == 0o600
    assert "not shown" in repr(again)


def test_another_secret_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ring(path, PASSPHRASE)
    with pytest.raises(SecurityError, match="another key or passphrase"):
        FileKeyRing(path, Secret(b"correct horse batterz"))
    with pytest.raises(ConfigurationError, match="opens by a passphrase"):
        FileKeyRing(path, FILE_KEY)
    ring(tmp_path / "other")
    with pytest.raises(SecurityError, match="another key or passphrase"):
        FileKeyRing(tmp_path / "other", Key(bytes(range(32))))
    with pytest.raises(ConfigurationError, match="opens by a key of 32 octets"):
        FileKeyRing(tmp_path / "other", PASSPHRASE)


@pytest.mark.parametrize("secret", [Key(bytes(16)), Secret(b"11 letters.")])
def test_a_weak_secret_is_refused(secret: Secret, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"32 octets|at least 12"):
        ring(tmp_path / "keys", secret)
    ring(tmp_path / "keys", Secret(b"12 letters.."))


def test_a_file_that_is_not_there_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no key file"):
        FileKeyRing(tmp_path / "keys", FILE_KEY)


@pytest.mark.parametrize(("mode", "accepted"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False)])
def test_others_may_not_read_the_file(mode: int, accepted: bool, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ring(path)
    path.chmod(mode)
    if accepted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # its identity has changed with its mode
            FileKeyRing(path, FILE_KEY)
        return
    with pytest.raises(ConfigurationError, match="chmod 600"):
        FileKeyRing(path, FILE_KEY)


def test_every_octet_that_is_altered_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    made = ring(path)
    name = made.activate(made.add(METER, KeyKind.ENCRYPTION, EK))
    whole = path.read_bytes()
    for place in range(len(whole)):
        octets = bytearray(whole)
        octets[place] ^= 1
        # In place, so that only the seal can tell.
        path.write_bytes(octets)
        try:
            opened = FileKeyRing(path, FILE_KEY, accept_old=True)
        except (SecurityError, ConfigurationError):
            continue
        except SecurityWarning:
            pass
        else:
            assert opened.fingerprint(name) == EK.fingerprint
        # Nothing but the blanks and the case of hex digits between the same values was altered.
        assert json.loads(bytes(octets).lower()) == json.loads(whole.lower())
    for size in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:size])
        with pytest.raises(SecurityError):
            FileKeyRing(path, FILE_KEY, accept_old=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["keys"].reverse(),
        lambda content: content["keys"].pop(),
        lambda content: content["keys"][0].__setitem__(3, "ACTIVE"),
        lambda content: content.__setitem__("generation", 99),
        lambda content: content.__setitem__("cost", 1),
        lambda content: content.__setitem__("cost", 1 << 30),
        lambda content: content.__setitem__("cost", True),
        lambda content: content.__setitem__("salt", 5),
        lambda content: content.__setitem__("salt", "no hex"),
        lambda content: content.__setitem__("nonce", ""),
        lambda content: content.__setitem__("seal", ""),
        lambda content: content.pop("seal"),
        lambda content: content.__setitem__("format", "cosem keys 2"),
    ],
)
def test_what_is_said_around_the_keys_is_sealed_too(
    change: Callable[[dict[str, object]], None], tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    made = ring(path)
    made.add(METER, KeyKind.ENCRYPTION, EK)
    made.add(METER, KeyKind.ENCRYPTION, NEW_EK)
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises((SecurityError, ConfigurationError)):
        FileKeyRing(path, FILE_KEY, accept_old=True)


@pytest.mark.parametrize("cost", [(1 << 14) - 1, (1 << 20) + 1])
def test_a_cost_from_outside_is_bounded(cost: int, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ring(path, PASSPHRASE)
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps({**content, "cost": cost}))
    with pytest.raises(SecurityError, match="none that this library has written"):
        FileKeyRing(path, PASSPHRASE)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_file_has_a_greatest_size(beyond: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    made = ring(path)
    made.add(METER, KeyKind.ENCRYPTION, EK)
    monkeypatch.setattr(keys, "LONGEST_FILE", path.stat().st_size - beyond)
    if beyond:
        with pytest.raises(ConfigurationError, match="that is no key file"):
            FileKeyRing(path, FILE_KEY)
    else:
        opened = FileKeyRing(path, FILE_KEY)
        with pytest.raises(ConfigurationError, match="would have more than"):
            opened.add(METER, KeyKind.ENCRYPTION, NEW_EK)
        assert len(opened.names(METER, KeyKind.ENCRYPTION)) == 1


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    mine = ring(path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from cosem.store.keys import FileKeyRing\nfrom cosem.protocol.crypto.key import Key\n"
        "from cosem.protocol.crypto.ring import KeyKind\n"
        f"ring = FileKeyRing(Path(sys.argv[2]), Key({FILE_KEY.reveal()!r}))\n"
        f"ring.add({METER!r}, KeyKind.ENCRYPTION, Key({EK.reveal()!r}))\n"
    )
    source = Path(keys.__file__).parents[2]
    for expected in (1, 2):
        subprocess.run([sys.executable, "-c", code, str(source), str(path)], check=True, timeout=60)
        assert [name.version for name in mine.names(METER, KeyKind.ENCRYPTION)][-1] == 2 * expected - 1
        mine.add(METER, KeyKind.ENCRYPTION, NEW_EK)


# -- power loss, and backups ------------------------------------------------------------------------------------------


def change(path: Path, disk: MemoryDisk) -> None:
    """Change a key in two phases, as one does who must be able to read the meter at any time."""
    made = FileKeyRing(path, FILE_KEY, create=True, disk=disk)
    names = made.names(METER, KeyKind.ENCRYPTION)
    if not names:
        made.activate(made.add(METER, KeyKind.ENCRYPTION, EK))
        names = made.names(METER, KeyKind.ENCRYPTION)
    if names[0].state is KeyState.NEW:
        made.activate(names[0])
    if len(names) == 1:
        made.add(METER, KeyKind.ENCRYPTION, NEW_EK)
        names = made.names(METER, KeyKind.ENCRYPTION)
    if names[-1].state is KeyState.NEW:
        made.activate(names[-1])


@pytest.mark.parametrize("after", After)
@pytest.mark.parametrize("failing", [False, True], ids=["power loss", "failing call"])
def test_t13_at_every_step_of_a_change_one_key_opens_the_meter(after: After, failing: bool, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    counting = MemoryDisk()
    change(path, counting)
    assert counting.steps > 30
    for fatal in range(1, counting.steps + 1):
        disk = MemoryDisk()
        disk.fatal, disk.failing = fatal, failing
        with suppress(PowerLoss, ConfigurationError):
            change(path, disk)
        disk.reboot(after)
        if disk.read(path, 1 << 20) is not None:
            opened = FileKeyRing(path, FILE_KEY, disk=disk)
            known = [opened.fingerprint(name) for name in candidates(opened, METER, KeyKind.ENCRYPTION)]
            assert not known or known[0] in (EK.fingerprint, NEW_EK.fingerprint)
        change(path, disk)
        opened = FileKeyRing(path, FILE_KEY, disk=disk)
        (only,) = candidates(opened, METER, KeyKind.ENCRYPTION)
        assert opened.fingerprint(only) == NEW_EK.fingerprint


@pytest.mark.parametrize("after", After)
def test_at_every_step_of_a_new_file_key_the_old_one_or_the_new_one_opens(after: After, tmp_path: Path) -> None:
    path, next_key = tmp_path / "keys", Key(b"the next key of the file........")
    for fatal in range(1, 20):
        disk = MemoryDisk()
        change(path, disk)
        made, disk.steps, disk.fatal = FileKeyRing(path, FILE_KEY, disk=disk), 0, fatal
        with suppress(PowerLoss):
            made.rekey(next_key)
        disk.reboot(after)
        opens = []
        for secret in (FILE_KEY, next_key):
            with suppress(SecurityError):
                opened = FileKeyRing(path, secret, disk=disk)
                (only,) = candidates(opened, METER, KeyKind.ENCRYPTION)
                assert opened.fingerprint(only) == NEW_EK.fingerprint
                opens.append(secret)
        assert len(opens) == 1, fatal
    assert opens == [next_key]


@pytest.mark.parametrize("both", [False, True])
def test_a_file_that_was_put_back_is_noticed_and_an_old_one_refused(both: bool, tmp_path: Path) -> None:
    path, disk = tmp_path / "keys", MemoryDisk()
    made = FileKeyRing(path, FILE_KEY, create=True, disk=disk)
    made.activate(made.add(METER, KeyKind.ENCRYPTION, EK))
    backup = backup_of(disk)
    made.activate(made.add(METER, KeyKind.ENCRYPTION, NEW_EK))
    put_back(disk, backup if both else {path: backup[path]})
    if both:
        # Nothing can tell this from a file whose mode was changed: it is warned of, and then known as it is.
        with pytest.warns(SecurityWarning, match="put back from a backup"):
            opened = FileKeyRing(path, FILE_KEY, disk=disk)
    else:
        with pytest.raises(SecurityError, match="it is an old one"):
            FileKeyRing(path, FILE_KEY, disk=disk)
        with pytest.raises(SecurityError, match="it is an old one"):
            made.names(METER, KeyKind.ENCRYPTION)
        with pytest.warns(SecurityWarning, match="may be missing"):
            opened = FileKeyRing(path, FILE_KEY, disk=disk, accept_old=True)
    assert [name.version for name in opened.names(METER, KeyKind.ENCRYPTION)] == [1]
    FileKeyRing(path, FILE_KEY, disk=disk)


@pytest.mark.parametrize("octets", [None, b"", b"{}", b'{"format": "cosem keys 1"}'])
def test_a_lost_witness_is_noticed(octets: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ring(path).add(METER, KeyKind.ENCRYPTION, EK)
    witness = path.with_name("keys.witness")
    if octets is None:
        witness.unlink()
    else:
        witness.write_bytes(octets)
    with pytest.raises(SecurityError, match="the witness beside it"):
        FileKeyRing(path, FILE_KEY)
    with pytest.warns(SecurityWarning):
        FileKeyRing(path, FILE_KEY, accept_old=True)
    FileKeyRing(path, FILE_KEY)


def test_a_witness_that_was_altered_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ring(path)
    witness = path.with_name("keys.witness")
    content = json.loads(witness.read_bytes())
    witness.write_text(json.dumps({**content, "after": "1:2"}))
    with pytest.raises(SecurityError, match="witness beside it is damaged"):
        FileKeyRing(path, FILE_KEY)


def test_a_new_passphrase_closes_the_old_one_out(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    made = ring(path, PASSPHRASE)
    name = made.add(METER, KeyKind.ENCRYPTION, EK)
    gone: KeyName = made.withdraw(made.add(METER, KeyKind.MASTER, NEW_EK))
    before = json.loads(path.read_bytes())
    made.rekey(FILE_KEY)
    after = json.loads(path.read_bytes())
    assert before["keys"][0][4:] != after["keys"][0][4:]
    with pytest.raises(ConfigurationError):
        FileKeyRing(path, PASSPHRASE)
    opened = FileKeyRing(path, FILE_KEY)
    assert opened.fingerprint(name) == made.fingerprint(name) == EK.fingerprint
    with pytest.raises(ConfigurationError, match="not in this key ring"):
        opened.fingerprint(gone)
    assert opened.names(METER, KeyKind.MASTER)[0].state is KeyState.WITHDRAWN
