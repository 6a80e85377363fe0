"""Communication profiles after IEC TS 62056-1-1: which layers stand on each other over which medium, as values."""
