"""The cryptography of IEC 62056-5-3: keys, AES-GCM, key wrap, security suites and authentication mechanisms."""
