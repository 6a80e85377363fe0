"""Loads: what flows at a measuring point, as functions of a kind, a seed and the time, in closed form.

Any figure of any time costs the same, comes out the same again, and never runs backwards; power is what energy grows
by. `shapes.toml` says what days, weeks and seasons look like.
"""

from cosem.meter.loads.figures import KINDS, Load, Measured, Shown, figure, measured, shown
from cosem.meter.loads.kind import Figure

__all__ = ["KINDS", "Figure", "Load", "Measured", "Shown", "figure", "measured", "shown"]
