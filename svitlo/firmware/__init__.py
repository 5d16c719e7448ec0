"""What the server knows of the boards' firmware: the bundle it sends over the air, and how it signs orders."""

from svitlo.firmware.bundle import LAUNCHER, Bundle, bundle, compiled, pack, unpack
from svitlo.firmware.signing import sign, update_key

__all__ = ["LAUNCHER", "Bundle", "bundle", "compiled", "pack", "sign", "unpack", "update_key"]
