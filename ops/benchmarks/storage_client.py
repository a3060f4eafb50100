"""What a client does with one file: a program, run where boto3, azure-storage-blob and pymongo are.

What is downloaded is compared with the file as it arrives, byte for byte, and kept nowhere: so the client takes as little
of the processors as it can from those whom it measures. It prints how many seconds the transfer took, without the start of
Python and of the client.
"""

from __future__ import annotations

import argparse
import ctypes
import http.client
import io
import json
import mmap
import os
import time
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

PLACE = "benchmark"
# As many requests at once, and blocks as large, as Millrace has for one upload.
AT_ONCE = 4
BLOCK_BYTES = 4 << 20
SECONDS_TO_ANSWER = 60.0
# What a core's own cache holds, so that bytes which have come are compared there.
READ_BYTES = 1 << 18
# The bytes of a file begin anew after so many: what comes is compared with some that stay in the cache as well. As this is a prime
# number, a block that came to another block's place does not fit there, whatever the size of blocks.
PERIOD_BYTES = 262_139
LIBC = ctypes.CDLL(None)


class Comparer(io.RawIOBase):
    """Takes what is written to it as a file does, and fails at the first byte that is not that of another file."""

    def __init__(self, expected: BinaryIO):
        self._size = os.fstat(expected.fileno()).st_size
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        # Writable only so that ctypes gives its address.
        access = mmap.PROT_READ | mmap.PROT_WRITE
        self._expected = mmap.mmap(expected.fileno(), min(2 * PERIOD_BYTES, self._size), flags, access)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._expected))
        self._position = 0
        self.count = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def write(self, piece: bytes | bytearray | memoryview) -> int:
        # Slices would be copied, and memoryviews compared byte by byte.
        count = len(piece)
        bytes_of = ctypes.c_char_p(piece) if isinstance(piece, bytes) else (ctypes.c_char * count).from_buffer(piece)
        start = ctypes.cast(bytes_of, ctypes.c_void_p).value or 0
        for offset in range(0, count, PERIOD_BYTES):
            self._compare(start + offset, min(PERIOD_BYTES, count - offset))
        self.count += count
        return count

    def _compare(self, start: int, count: int) -> None:
        """Compares at most a period, which lies in one piece from wherever in the first period it begins."""
        place = ctypes.c_void_p(self._address + self._position % PERIOD_BYTES)
        fits = self._position + count <= self._size
        if not fits or LIBC.memcmp(place, ctypes.c_void_p(start), ctypes.c_size_t(count)):
            raise SystemExit(f"other bytes than were sent came at {self._position}")
        self._position += count

    def check_all_came(self) -> None:
        if self.count != self._size:
            raise SystemExit(f"{self.count} of {self._size} bytes came")


class HTTP:
    """One PUT or one GET; `name` is the URL."""

    def upload(self, name: str, file: BinaryIO) -> None:
        connection, path = self._connection(name)
        connection.putrequest("PUT", path)
        connection.putheader("Authorization", f"Bearer {os.environ['WRITE_TOKEN']}")
        connection.putheader("Content-Length", str(os.fstat(file.fileno()).st_size))
        connection.endheaders()
        # The kernel sends the file's pages as they are.
        connection.sock.sendfile(file)
        self._response(connection, 201)

    def download(self, name: str, file: BinaryIO) -> None:
        connection, path = self._connection(name)
        connection.request("GET", path)
        response = self._response(connection, 200)
        buffer = bytearray(READ_BYTES)
        view = memoryview(buffer)
        while count := response.readinto(buffer):
            file.write(view[:count])

    def _connection(self, name: str) -> tuple[http.client.HTTPConnection, str]:
        url = urlsplit(name)
        return http.client.HTTPConnection(url.hostname or "", url.port, timeout=SECONDS_TO_ANSWER), url.path

    def _response(self, connection: http.client.HTTPConnection, wanted: int) -> http.client.HTTPResponse:
        response = connection.getresponse()
        if response.status != wanted:
            raise SystemExit(f"the answer was {response.status}: {response.read(1000).decode(errors='replace')}")
        return response


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


class Azure:
    """azure-storage-blob with blocks of 4 MiB, its default, some at once; whatever the size, since the test server takes
    blobs in no other way."""

    def __init__(self) -> None:
        from azure.core.credentials import AzureNamedKeyCredential
        from azure.storage.blob import BlobServiceClient

        key = AzureNamedKeyCredential(os.environ["AZURE_TEST_ACCOUNT"], os.environ["AZURE_TEST_KEY"])
        sizes = {"max_single_put_size": 1, "max_block_size": BLOCK_BYTES}
        service = BlobServiceClient(os.environ["AZURE_TEST_ENDPOINT"], credential=key, **sizes)
        self._container = service.get_container_client(PLACE)

    def prepare(self) -> None:
        self._container.create_container()

    def upload(self, name: str, file: BinaryIO) -> None:
        size = os.fstat(file.fileno()).st_size
        self._container.upload_blob(name, file, length=size, overwrite=True, max_concurrency=AT_ONCE)

    def download(self, name: str, file: BinaryIO) -> None:
        self._container.download_blob(name, max_concurrency=AT_ONCE).readinto(file)


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


CLIENTS = {"http": HTTP, "s3": S3, "azure": Azure, "gridfs": GridFS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("provider", choices=CLIENTS)
    parser.add_argument("action", choices=["prepare", "upload", "download"])
    parser.add_argument("--name", help="the object")
    parser.add_argument("--file", type=Path, help="what is sent, or compared with what comes")
    chosen = parser.parse_args()
    client = CLIENTS[chosen.provider]()
    began = time.monotonic()
    match chosen.action:
        case "prepare":
            client.prepare()
        case "upload":
            with chosen.file.open("rb") as file:
                began = time.monotonic()
                client.upload(chosen.name, file)
        case "download":
            with chosen.file.open("r+b") as file:
                comparer = Comparer(file)
                began = time.monotonic()
                client.download(chosen.name, comparer)
                comparer.check_all_came()
    print(json.dumps({"seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
