"""What a provider's own client does with one file: a program, run where boto3, azure-storage-blob and pymongo are.

It prints how many seconds the transfer took, without the start of Python and of the client.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import BinaryIO

PLACE = "benchmark"
# As many requests at once, and blocks as large, as Millrace has for one upload.
AT_ONCE = 4
BLOCK_BYTES = 4 << 20


class S3:
    """boto3's managed transfers, with its own settings (10 threads, parts of 8 MiB)."""

    def __init__(self) -> None:
        import boto3

        self._client = boto3.client(
            "s3",
            endpoint_url=os.environ["S3_TEST_ENDPOINT"],
            region_name="us-east-1",
            aws_access_key_id="benchmark",
            aws_secret_access_key="secret",
        )

    def prepare(self) -> None:
        self._client.create_bucket(Bucket=PLACE)

    def upload(self, name: str, file: BinaryIO) -> None:
        self._client.upload_fileobj(file, PLACE, name)

    def download(self, name: str, file: BinaryIO) -> None:
        self._client.download_fileobj(PLACE, name, file)

    def delete(self, name: str) -> None:
        self._client.delete_object(Bucket=PLACE, Key=name)


class Azure:
    """azure-storage-blob with blocks of 4 MiB, its default, some at once; whatever the size, since the test server takes
    blobs in no other way."""

    def __init__(self) -> None:
        from azure.core.credentials import AzureNamedKeyCredential
        from azure.storage.blob import BlobServiceClient

        key = AzureNamedKeyCredential(os.environ["AZURE_TEST_ACCOUNT"], os.environ["AZURE_TEST_KEY"])
        service = BlobServiceClient(os.environ["AZURE_TEST_ENDPOINT"], credential=key, max_single_put_size=1, max_block_size=BLOCK_BYTES)
        self._container = service.get_container_client(PLACE)

    def prepare(self) -> None:
        self._container.create_container()

    def upload(self, name: str, file: BinaryIO) -> None:
        size = os.fstat(file.fileno()).st_size
        self._container.upload_blob(name, file, length=size, overwrite=True, max_concurrency=AT_ONCE)

    def download(self, name: str, file: BinaryIO) -> None:
        self._container.download_blob(name, max_concurrency=AT_ONCE).readinto(file)

    def delete(self, name: str) -> None:
        self._container.delete_blob(name)


class GridFS:
    """pymongo's GridFS, with its own settings (chunks of 255 KiB, in turn), acknowledged as Millrace's writes are."""

    def __init__(self) -> None:
        from gridfs import GridFSBucket
        from pymongo import MongoClient, WriteConcern

        database = MongoClient(os.environ["DBHOST"]).get_database(PLACE)
        self._bucket = GridFSBucket(database, write_concern=WriteConcern(w="majority", j=True))

    def prepare(self) -> None:
        pass

    def upload(self, name: str, file: BinaryIO) -> None:
        self._bucket.upload_from_stream_with_id(name, name, file)

    def download(self, name: str, file: BinaryIO) -> None:
        self._bucket.download_to_stream(name, file)

    def delete(self, name: str) -> None:
        self._bucket.delete(name)


CLIENTS = {"s3": S3, "azure": Azure, "gridfs": GridFS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("provider", choices=CLIENTS)
    parser.add_argument("action", choices=["prepare", "upload", "download", "delete"])
    parser.add_argument("--name", help="the object")
    parser.add_argument("--file", type=Path, help="what is sent or written")
    chosen = parser.parse_args()
    client = CLIENTS[chosen.provider]()
    began = time.monotonic()
    match chosen.action:
        case "prepare":
            client.prepare()
        case "delete":
            client.delete(chosen.name)
        case "upload":
            with chosen.file.open("rb") as file:
                began = time.monotonic()
                client.upload(chosen.name, file)
        case "download":
            with chosen.file.open("wb") as file:
                began = time.monotonic()
                client.download(chosen.name, file)
    print(json.dumps({"seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
