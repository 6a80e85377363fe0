"""The limits that nobody can pass: the bare calls below the works."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from loop import given, serve


def bare_gcm():
    """One AES-GCM decryption with a key object made before, a 16-octet tag and nothing decoded."""
    key = AESGCM(given["encryption_key"])
    # tag, length, security control, counter, ciphertext, 12-octet tag
    control, counter, ciphertext = given["ciphered"][2:3], given["ciphered"][3:7], given["ciphered"][7:-12]
    nonce, associated = given["meter_title"] + counter, control + given["authentication_key"]
    clear = key.encrypt(nonce, ciphertext, None)[: len(ciphertext)]  # counter mode undoes itself
    whole = key.encrypt(nonce, clear, associated)
    decrypt = key.decrypt
    return lambda: decrypt(nonce, whole, associated)


serve({"bare-gcm": bare_gcm})
