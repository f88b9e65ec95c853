"""Signatures of saved models: Ed25519, with keys as ``ssh-keygen -t ed25519`` makes them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbrelapse.cohort.content import check_regular
from nbrelapse.errors import BundleError, InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SIGNATURE = "signature"
_PURPOSE = b"nbrelapse saved model, manifest\n"
"""Stands before what is signed, so that a signature of something else is none of a model."""

_LARGEST_KEY = 1 << 20
_KIND = "ssh-ed25519"


@dataclass(frozen=True)
class _Signer:
    """Whose signature a model has.

    Parameters
    ----------
    fingerprint : str
        Of the public key, as ``ssh-keygen -lf`` shows it.
    name : str or None
        What the keyring calls the key; None where no keyring was asked.
    """

    fingerprint: str
    name: str | None = None


def _signed(content: str, key: str | Path) -> dict[str, str]:
    """Sign the text of a manifest.

    Parameters
    ----------
    content : str
    key : path
        An Ed25519 private key without a passphrase, as OpenSSH or PEM writes it.

    Returns
    -------
    dict
        ``public_key`` and ``signature``.

    Raises
    ------
    InputError
        There is no such key, or it is of another kind.
    """
    private = _private_key(Path(key))
    signature = private.sign(_PURPOSE + content.encode())
    return {"public_key": _line(private.public_key()), "signature": base64.b64encode(signature).decode()}


def check_key(key: str | Path) -> None:
    """Check that models can be signed with a private key, before the work is done that it is to sign.

    Raises
    ------
    InputError
        There is no such key, or it is of another kind.
    """
    _private_key(Path(key))


def _private_key(file: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    content = _read(file)
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in content else load_pem_private_key
    try:
        found = load(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise InputError(
            "no private key to sign with",
            file=file,
            expected="an Ed25519 key without a passphrase",
            fix="make one: ssh-keygen -t ed25519 -N '' -C NAME -f FILE",
        )
    return found


def _read(file: Path) -> bytes:
    check_regular(file)
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST_KEY)
    except OSError as error:
        raise InputError(f"the key cannot be read: {error.strerror}", file=file, fix="check the rights") from None


def _line(key: Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _read_keyring(file: str | Path) -> dict[str, str]:
    """Return the name of each public key of a keyring: a line a key, ``ssh-ed25519 AAAA… name``.

    Raises
    ------
    InputError
        The file cannot be read, holds no key, or a line that is none.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(_read(Path(file)).decode("utf-8", errors="replace").splitlines(), start=1):
        words = line.split(maxsplit=2)
        if not words or words[0].startswith("#"):
            continue
        try:
            key = _line(_public_key(" ".join(words[:2])))
        except ValueError:
            raise InputError(
                "this is no public key",
                file=file,
                rows=[number],
                expected=f"{_KIND} AAAA… name, as in a .pub file",
                fix="write the line of the .pub file, or remove it",
            ) from None
        names[key] = words[2].strip() if len(words) > 2 else _fingerprint(key)
    if not names:
        expected = f"a line a key: {_KIND} AAAA… name"
        raise InputError("the keyring holds no key", file=file, expected=expected, fix="add the .pub files to it")
    return names


def _public_key(line: str) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        found = load_ssh_public_key(line.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(found, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return found


def _fingerprint(line: str) -> str:
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _check_signature(manifest: Mapping[str, Any], content: str, keyring: str | Path | None) -> _Signer | None:
    """Check a manifest's signature.

    Parameters
    ----------
    manifest : mapping
    content : str
        Text of the manifest without its signature.
    keyring : path or None
        Public keys that are trusted; None: any key will do, and so will none.

    Returns
    -------
    _Signer or None
        None where the model is not signed.

    Raises
    ------
    InputError
        The keyring cannot be read.
    BundleError
        The signature is not of this manifest; or there is a keyring, and the model is not signed by a key in it.
    """
    names = None if keyring is None else _read_keyring(keyring)
    given = manifest.get(_SIGNATURE)
    if given is None:
        if names is None:
            return None
        raise BundleError(
            "the model is not signed", fix="ask whoever trained it to sign it: nbrelapse export MODEL FOLDER --sign KEY"
        )
    from cryptography.exceptions import InvalidSignature

    try:
        key = _public_key(given["public_key"])
        key.verify(base64.b64decode(given["signature"], validate=True), _PURPOSE + content.encode())
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError):
        raise BundleError("the model's signature is not of this model: it was changed after it was signed") from None
    line = _line(key)
    signer = _Signer(_fingerprint(line), None if names is None else names.get(line))
    if names is not None and signer.name is None:
        raise BundleError(
            f"the model is signed by a key that the keyring does not hold: {signer.fingerprint}",
            expected=", ".join(names.values()),
            fix="ask the signer for the public key by another way than the model came, and add it to the keyring",
        )
    return signer
