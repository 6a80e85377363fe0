"""Application associations: opening, securing, using and closing them, for both sides (IEC 62056-5-3)."""
