"""What the service is tested with."""

from faceswap.detector.serve.answer import Known
from faceswap.detector.serve.service import Limits
from faceswap.media import guarded

DECODE = guarded.Limits(megapixels=4, clip_s=10, frames=10, decode_s=60, memory_mib=4096)
LIMITS = Limits(DECODE, upload_mib=2, upload_s=60, per_minute=1000, waiting=4)
KNOWN = Known(name="toy", sha256="0" * 64)
HERE = "http://127.0.0.1"
