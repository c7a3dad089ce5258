from typing import NamedTuple
class Instrument(NamedTuple):
    exchange: str; symbol: str; decimals: int
