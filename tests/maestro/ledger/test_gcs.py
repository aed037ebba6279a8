"""Google Cloud Storage, as fake-gcs-server serves it: the contract, and what a service may do to a client."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from maestro.errors import ToolFailure
from maestro.ledger.gcs import GcsObjects, gcs_store
from maestro.ledger.object_store import ObjectStore
from maestro.ledger.store import Store
from tests.maestro.ledger.cloud_faults import CloudFaults
from tests.maestro.ledger.contract import StoreContract
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.tools import tool

pytestmark = pytest.mark.filterwarnings("ignore")


def client(port: int) -> dict[str, object]:
    return {
        "project": "test",
        "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]
        "client_options": {"api_endpoint": f"http://127.0.0.1:{port}"},
    }


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    program = tool("fake-gcs-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    arguments = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(number), "-backend", "memory"]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", number)) == 0:
                        break
                time.sleep(0.05)
            yield number
        finally:
            server.kill()


@pytest.fixture
def bucket(port: int, request: pytest.FixtureRequest) -> str:
    name = f"b{abs(hash(request.node.nodeid)) % 10**12}x"
    storage.Client(**client(port)).create_bucket(name)
    return name


class TestGcsStore(StoreContract):
    @pytest.fixture
    def opened(self, port: int, bucket: str) -> Callable[[], Store]:
        return lambda: gcs_store(bucket, "some/prefix", client=client(port))


class TestGcsFaults(CloudFaults):
    @pytest.fixture
    def faulty(self, port: int, bucket: str) -> Iterator[tuple[Store, FaultyProxy, Store]]:
        with faulty_proxy(port) as proxy:
            slow = GcsObjects(bucket, connect=0.5, read=0.5, client=client(proxy.port))
            direct = gcs_store(bucket, "p", client=client(port))
            yield ObjectStore(slow, "p", sleep=lambda _seconds: None), proxy, direct


def test_a_bucket_that_is_not_there_is_told(port: int) -> None:
    with pytest.raises(ToolFailure, match="refuses") as caught:
        gcs_store("no-such-bucket", "", client=client(port)).create("a", b"")
    assert "must exist" in str(caught.value.remedy)


def test_nobody_listens() -> None:
    objects = GcsObjects("bucket", connect=0.5, read=0.5, client=client(9))
    with pytest.raises(ToolFailure, match="does not answer"):
        ObjectStore(objects, "", sleep=lambda _seconds: None).read("a")
