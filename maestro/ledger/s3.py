"""S3 as a store: conditional writes by If-None-Match and If-Match (the version is the ETag)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from maestro.errors import ToolFailure
from maestro.ledger.object_store import CONNECT_SECONDS, READ_SECONDS, ObjectStore, Temporary
from maestro.ledger.store import Stored

_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_LOST = frozenset({"PreconditionFailed", "412"})
_LATER = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)

_NOTHING: Mapping[str, Any] = MappingProxyType({})
T = TypeVar("T")


def s3_store(
    bucket: str,
    prefix: str,
    *,
    connect: float = CONNECT_SECONDS,
    read: float = READ_SECONDS,
    client: Mapping[str, Any] = _NOTHING,
) -> ObjectStore:
    """The store; the region, the endpoint and the credentials are found as boto3 finds them.

    Args:
        bucket, prefix: where.
        connect, read: seconds until an attempt is given up.
        client: more for ``boto3.client``.

    Raises:
        ToolFailure: the configuration of the machine is malformed.
    """
    return ObjectStore(S3Objects(bucket, connect=connect, read=read, client=client), prefix)


class S3Objects:
    """See ``Objects``."""

    def __init__(self, bucket: str, *, connect: float, read: float, client: Mapping[str, Any] = _NOTHING) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self._bucket = bucket
        self.address = f"s3://{bucket}"
        # One attempt: the SDK's own retries would repeat a write without finding out whether it had happened.
        config = Config(connect_timeout=connect, read_timeout=read, retries={"total_max_attempts": 1})
        try:
            self._client: Any = boto3.client("s3", config=config, **client)
        except (BotoCoreError, ValueError) as error:
            raise ToolFailure(
                f"S3 cannot be used: {error}", where=self.address, remedy="see `aws configure list`"
            ) from error

    def get(self, key: str) -> Stored | None:
        """See ``Objects``."""

        def request() -> Stored:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            return Stored(answer["Body"].read(), answer["ETag"])

        return self._asked(request, _ABSENT, None)

    def put_new(self, key: str, data: bytes) -> bool:
        """See ``Objects``."""
        return self._put(key, data, IfNoneMatch="*")

    def put_over(self, key: str, data: bytes, version: str) -> bool:
        """See ``Objects``."""
        return self._put(key, data, IfMatch=version)

    def _put(self, key: str, data: bytes, **condition: str) -> bool:
        def request() -> bool:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **condition)
            return True

        return self._asked(request, _LOST | _ABSENT, False)

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``Objects``."""

        def request() -> list[str]:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [row["Key"] for page in pages for row in page.get("Contents", ())]

        none: list[str] = []
        return iter(self._asked(request, frozenset(), none))

    def delete(self, key: str) -> None:
        """See ``Objects``."""

        def request() -> None:
            self._client.delete_object(Bucket=self._bucket, Key=key)

        self._asked(request, _ABSENT, None)

    def _asked(self, request: Callable[[], T], otherwise_for: frozenset[str], otherwise: T) -> T:
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,
            HTTPClientError,
            IncompleteReadError,
            ReadTimeoutError,
            ResponseStreamingError,
        )

        try:
            return request()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in otherwise_for:
                return otherwise
            if code in _LATER or status == 429 or status >= 500:
                raise Temporary(f"it says {code or status}") from error
            raise ToolFailure(
                f"S3 refuses: {code}: {error.response.get('Error', {}).get('Message', '')}"[:300],
                where=self.address,
                remedy="the bucket must exist, and allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket",
            ) from error
        except (
            ConnectionError,
            HTTPClientError,
            IncompleteReadError,
            ReadTimeoutError,
            ResponseStreamingError,
        ) as error:
            raise Temporary(str(error)[:200]) from error
        except BotoCoreError as error:
            raise ToolFailure(
                f"S3 cannot be used: {error}", where=self.address, remedy="see `aws configure list`"
            ) from error
