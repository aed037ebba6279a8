"""Google Cloud Storage as a store: conditional writes by ifGenerationMatch (the version is the generation)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from maestro.errors import ToolFailure
from maestro.ledger.object_store import CONNECT_SECONDS, READ_SECONDS, ObjectStore, Temporary
from maestro.ledger.store import Stored

_NOTHING: Mapping[str, Any] = MappingProxyType({})
T = TypeVar("T")


def gcs_store(
    bucket: str,
    prefix: str,
    *,
    connect: float = CONNECT_SECONDS,
    read: float = READ_SECONDS,
    client: Mapping[str, Any] = _NOTHING,
) -> ObjectStore:
    """The store; the credentials are found as Google's libraries find them.

    Args:
        bucket, prefix: where.
        connect, read: seconds until an attempt is given up.
        client: more for ``google.cloud.storage.Client``.

    Raises:
        ToolFailure: there are no credentials.
    """
    return ObjectStore(GcsObjects(bucket, connect=connect, read=read, client=client), prefix)


class GcsObjects:
    """See ``Objects``."""

    def __init__(self, bucket: str, *, connect: float, read: float, client: Mapping[str, Any] = _NOTHING) -> None:
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage

        self.address = f"gs://{bucket}"
        # One attempt, as with S3: the library's retries would repeat a write without looking.
        self._once: dict[str, Any] = {"timeout": (connect, read), "retry": None}
        try:
            self._client: Any = storage.Client(**client)
        except (GoogleAuthError, OSError) as error:
            raise ToolFailure(
                f"Google Cloud Storage cannot be used: {error}"[:300],
                where=self.address,
                remedy="see `gcloud auth application-default login`, or the job's workload identity",
            ) from error
        self._bucket = self._client.bucket(bucket)

    def get(self, key: str) -> Stored | None:
        """See ``Objects``."""

        def request() -> Stored:
            blob = self._bucket.blob(key)
            data = blob.download_as_bytes(**self._once)
            return Stored(data, str(blob.generation))

        return self._asked(request, (404,), None)

    def put_new(self, key: str, data: bytes) -> bool:
        """See ``Objects``."""
        return self._put(key, data, 0)

    def put_over(self, key: str, data: bytes, version: str) -> bool:
        """See ``Objects``."""
        return self._put(key, data, int(version))

    def _put(self, key: str, data: bytes, generation: int) -> bool:
        def request() -> bool:
            self._bucket.blob(key).upload_from_string(
                data, content_type="application/octet-stream", if_generation_match=generation, **self._once
            )
            return True

        return self._asked(request, (412, 404) if generation else (412,), False)

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``Objects``."""

        def request() -> list[str]:
            return [blob.name for blob in self._client.list_blobs(self._bucket, prefix=prefix, **self._once)]

        none: list[str] = []
        return iter(self._asked(request, (), none))

    def delete(self, key: str) -> None:
        """See ``Objects``."""
        self._asked(lambda: self._bucket.blob(key).delete(**self._once), (404,), None)

    def _asked(self, request: Callable[[], T], otherwise_for: tuple[int, ...], otherwise: T) -> T:
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
        from requests.exceptions import RequestException

        try:
            return request()
        except (GoogleAPICallError, InvalidResponse) as error:
            status = int(error.code or 0) if isinstance(error, GoogleAPICallError) else error.response.status_code
            if status in otherwise_for:
                return otherwise
            if status in (408, 429) or status >= 500:
                raise Temporary(f"it says {status}") from error
            raise ToolFailure(
                f"Google Cloud Storage refuses: {error}"[:300],
                where=self.address,
                remedy="the bucket must exist, and storage.objects.get, create, delete and list be allowed in it",
            ) from error
        except (RequestException, TransportError, DataCorruption) as error:
            raise Temporary(str(error)[:200]) from error
        except GoogleAuthError as error:
            raise ToolFailure(
                f"Google Cloud Storage cannot be used: {error}"[:300],
                where=self.address,
                remedy="see `gcloud auth application-default login`, or the job's workload identity",
            ) from error
