"""What an S3 error answer means: ask again, or stop and say what to change."""

from __future__ import annotations

from recon.adapters.s3.retry import PassingError
from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError, ListingInvalidError

_THROTTLED = {"SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
_PASSING = _THROTTLED | {
    "InternalError",
    "RequestTimeout",
    "BadGateway",
    "GatewayTimeout",
    "OperationAborted",
}
_PASSING_STATUSES = {429, 500, 502, 503, 504}
_SIGN_IN = "The credentials have expired or are invalid: sign in again."
_SIGN_WITH = "The server does not accept this access key: check s3.profile and AWS_*."
#: The next step for each way of being denied.
_DENIED = {
    "AccessDenied": "Grant s3:ListBucket on the bucket and s3:GetObject on its objects.",
    "ExpiredToken": _SIGN_IN,
    "InvalidToken": _SIGN_IN,
    "TokenRefreshRequired": _SIGN_IN,
    "InvalidAccessKeyId": _SIGN_WITH,
    "SignatureDoesNotMatch": _SIGN_WITH,
    "RequestTimeTooSkewed": "This host's clock differs from the server's: set it (NTP).",
}


def refusal(status: int, code: str, region: str, cannot: str) -> Exception:
    """Return the error to raise for an answer with HTTP ``status`` and S3 error ``code`` ("" if none).

    ``region`` is the server's x-amz-bucket-region; ``cannot`` starts the message: what failed, and where.
    """
    said = f"HTTP {status} {code}".rstrip()
    if code in _PASSING or status in _PASSING_STATUSES:
        throttled = code in _THROTTLED or status in {429, 503}
        return PassingError(f"got {said}", LakeUnreachableError, throttled=throttled)
    kind, step = _meaning(status, code, region)
    return kind(f"{cannot}: got {said}. {step}")


def _meaning(status: int, code: str, region: str) -> tuple[type[LakeError], str]:
    """Return the class of a final refusal and the next step."""
    if status in {301, 307, 308} or code in {"PermanentRedirect", "AuthorizationHeaderMalformed"}:
        named = f"Set s3.region to {region}." if region else "Set s3.region and s3.endpoint_url to its home."
        return LakeUnreachableError, f"The bucket lives in another region. {named}"
    if code in _DENIED or status in {401, 403}:
        return AccessDeniedError, _DENIED.get(code, _DENIED["AccessDenied"])
    if code == "NoSuchKey":
        return LakeError, "There is no such object: check the key."
    if status == 404:
        return LakeUnreachableError, "There is no such bucket here: check lake and s3.endpoint_url."
    if status == 200:
        return ListingInvalidError, "The server put an error into a good answer; nothing is concluded."
    return LakeUnreachableError, "Check that s3.endpoint_url speaks S3 and that the lake is spelled right."
