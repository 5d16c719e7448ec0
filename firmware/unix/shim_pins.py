"""The pins of the desktop's board: world/pin-N is what a pin reads, world/out-N what it was set to."""


class Pin:
    IN = 0
    OUT = 1
    PULL_UP = 2
    PULL_DOWN = 3
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=IN, pull=None, value=None):
        self.id = id


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=ATTN_11DB):
        self._pin = pin


class UART:
    def __init__(self, id, baudrate=9600, **options):
        self.id = id
