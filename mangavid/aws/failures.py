"""What botocore raises, as an error of ours that can be told: the one place where AWS's failures get their names."""

from __future__ import annotations

from botocore import exceptions as boto  # noqa: TID253 - loaded only by those that call AWS
from botocore.parsers import ResponseParserError  # noqa: TID253

from mangavid.errors import AuthError, ConfigError, MangavidError, UpstreamUnavailable

_NO_RIGHT = {
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "KMSAccessDeniedException",
    "KMS.AccessDeniedException",
    "UnauthorizedOperation",
    "OptInRequired",
}
_BAD_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_PASSES = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "Ec2ThrottledException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "Unavailable",
}
_NOT_DEPLOYED = {"NoSuchBucket", "ResourceNotFoundException", "StateMachineDoesNotExist"}
#: A number is the HTTP status of an answer that names no error of AWS's.
_NOT_THERE = {
    "400",
    "404",
    "405",
    "500",
    "501",
    "InvalidAction",
    "NotImplemented",
    "UnknownAction",
    "UnknownOperation",
    "UnknownOperationException",
}

_SIGN_IN = "set AWS_PROFILE, or sign in again (aws sso login); on AWS: the role is missing"


def code_of(problem: boto.ClientError) -> str:
    """The error code of a refusal, as the service spells it; for an answer without a body its HTTP status."""
    return str(problem.response.get("Error", {}).get("Code", ""))


def failure(problem: Exception, doing: str) -> MangavidError:
    """The error to raise for what botocore raised while ``doing`` (say, «dynamodb GetItem»).

    Of parameters that botocore refused nothing is told but that: they may hold a token or a secret.
    """
    if isinstance(problem, boto.ClientError):
        return _refused(problem, doing)
    if isinstance(problem, boto.ProfileNotFound):
        return ConfigError(f"{doing}: {problem}", hint="aws configure list-profiles shows those there are")
    if isinstance(problem, boto.NoRegionError):
        return ConfigError(f"{doing}: no AWS region is set", hint="set AWS_REGION, or a region in the profile")
    if isinstance(
        problem,
        boto.NoCredentialsError
        | boto.PartialCredentialsError
        | boto.CredentialRetrievalError
        | boto.TokenRetrievalError
        | boto.NoAuthTokenError
        | boto.SSOError
        | boto.MetadataRetrievalError,
    ):
        return AuthError(f"{doing}: no AWS credentials ({problem})", hint=_SIGN_IN)
    if isinstance(
        problem, boto.HTTPClientError | boto.ConnectionError | boto.IncompleteReadError | boto.ResponseStreamingError
    ):
        return UpstreamUnavailable(f"{doing}: AWS does not answer ({problem})")
    if isinstance(problem, ResponseParserError):
        return UpstreamUnavailable(f"{doing}: an answer in no form of AWS's")
    if isinstance(problem, boto.ParamValidationError):
        return MangavidError(f"{doing}: parameters that AWS does not take")
    return MangavidError(f"{doing}: {type(problem).__name__}: {problem}")


def not_there(problem: BaseException) -> bool:
    """Whether the endpoint does not have that call at all, which is how emulators fail and AWS does not.

    ``problem`` is what ``failure`` made, or what that was made of. Of no use for calls that are answered without a body
    (S3's HEAD): there a thing that is missing looks the same.
    """
    cause = problem.__cause__ if isinstance(problem, MangavidError) else problem
    if isinstance(cause, boto.ClientError):
        return code_of(cause) in _NOT_THERE or _status(cause) == 501
    # moto raises the first within this process; the second is what comes of a page in place of an answer.
    return isinstance(cause, NotImplementedError | ResponseParserError)


def _status(problem: boto.ClientError) -> int:
    return int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refused(problem: boto.ClientError, doing: str) -> MangavidError:
    code = code_of(problem)
    text = f"{doing}: {code}: {problem.response.get('Error', {}).get('Message', '')}".rstrip(": ")
    status = _status(problem)
    if code in _BAD_CREDENTIALS:
        return AuthError(text, hint=_SIGN_IN)
    if code in _NO_RIGHT:
        return AuthError(text, hint="these credentials lack that permission")
    if code in _PASSES or code.startswith("Throttl") or status == 429 or status >= 500:
        return UpstreamUnavailable(text)
    if code in _NOT_DEPLOYED:
        hint = "nothing is deployed there: mangavid deploy; or set aws.region and aws.prefix to what was deployed"
        return ConfigError(text, hint=hint)
    return MangavidError(text)
