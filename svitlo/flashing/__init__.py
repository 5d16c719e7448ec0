"""Writes MicroPython and the firmware onto a board over USB (esptool and mpremote, extra `flash`)."""
