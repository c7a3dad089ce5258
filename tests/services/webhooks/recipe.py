import hashlib
import hmac
import time


def is_genuine(secret: str, signature: str, body: bytes) -> bool:
    """True if a request of this server has this header `Fullon-Signature` and this body."""
    parts = dict(part.split("=", 1) for part in signature.split(","))
    signed = parts["t"].encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300
