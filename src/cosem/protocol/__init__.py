"""What the standard says: sans-I/O, with no dependency but `cryptography`."""
