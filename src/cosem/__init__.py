"""The IEC 62056 (DLMS/COSEM) suite for Python."""
