"""S3, as moto serves it over HTTP: the contract, and what a service may do to a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from maestro.errors import ToolFailure
from maestro.ledger.object_store import ObjectStore
from maestro.ledger.s3 import S3Objects, s3_store
from maestro.ledger.store import Store
from tests.maestro.ledger.cloud_faults import CloudFaults
from tests.maestro.ledger.contract import StoreContract
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy

pytestmark = pytest.mark.filterwarnings("ignore")


def client(port: int) -> dict[str, str]:
    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return {"endpoint_url": f"http://127.0.0.1:{port}", **access}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


@pytest.fixture
def bucket(port: int, request: pytest.FixtureRequest) -> str:
    name = f"b{abs(hash(request.node.nodeid)) % 10**12}x"
    boto3.client("s3", **client(port)).create_bucket(Bucket=name)
    return name


class TestS3Store(StoreContract):
    @pytest.fixture
    def opened(self, port: int, bucket: str) -> Callable[[], Store]:
        return lambda: s3_store(bucket, "some/prefix", client=client(port))

    def test_names_beyond_one_page(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
        for number in range(8):
            assert store.create(f"many/{number}", b"")
        assert len(list(store.names("many/"))) == 8

    def test_what_somebody_else_put_there_is_passed_over(self, store: Store, port: int, bucket: str) -> None:
        assert store.create("a/b", b"")
        for key in ("photos/", "x/.hidden", "a b"):
            boto3.client("s3", **client(port)).put_object(Bucket=bucket, Key=f"some/prefix/{key}", Body=b"")
        assert list(store.names("")) == ["a/b"]


class TestS3Faults(CloudFaults):
    @pytest.fixture
    def faulty(self, port: int, bucket: str) -> Iterator[tuple[Store, FaultyProxy, Store]]:
        with faulty_proxy(port) as proxy:
            slow = S3Objects(bucket, connect=0.5, read=0.5, client=client(proxy.port))
            direct = s3_store(bucket, "p", client=client(port))
            yield ObjectStore(slow, "p", sleep=lambda _seconds: None), proxy, direct


def test_a_bucket_that_is_not_there_is_told(port: int) -> None:
    store = s3_store("no-such-bucket", "", client=client(port))
    with pytest.raises(ToolFailure, match="NoSuchBucket") as caught:
        store.create("a", b"")
    assert "must exist" in str(caught.value.remedy)


def test_nobody_listens(bucket: str) -> None:
    objects = S3Objects(bucket, connect=0.5, read=0.5, client=client(9))
    with pytest.raises(ToolFailure, match="does not answer"):
        ObjectStore(objects, "", sleep=lambda _seconds: None).read("a")


def test_a_machine_without_credentials_is_told(
    port: int, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = s3_store(bucket, "", client={"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"})
    with pytest.raises(ToolFailure, match="S3 cannot be used: Unable to locate credentials"):
        store.read("a")
