"""moto's server, which speaks as S3 does, with blobs that stay on disk.

As it comes, moto reads the whole blob into memory for each range that is asked for, and holds all parts several times in
memory while it puts them together: a film could not be tried on it. Nothing of what it answers is changed, but for a
checksum of the whole blob that nobody has asked for. Run as a program, in an environment that has `moto`, of exactly the
version in object_stores.txt, with moto's own arguments.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from hashlib import md5

from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeKey, FakeMultipart, MultipartChecksumBuilder
from moto.s3.responses import S3Response
from moto.server import main
from moto.settings import S3_UPLOAD_PART_MIN_SIZE

RANGE = re.compile(r"bytes=(\d+)-(\d*)")

_whole_value = FakeKey.value
_get_object = S3Response.get_object
_complete = FakeMultipart.complete
# What the request of this thread wants.
_request = threading.local()


class StoredBytes:
    """A blob's bytes, of which only those are read that are asked for."""

    def __init__(self, key: FakeKey):
        self._key = key

    def __len__(self) -> int:
        return self._key.contentsize

    def __getitem__(self, wanted: slice) -> bytes:
        first, end, _ = wanted.indices(len(self))
        with self._key.lock:
            self._key._value_buffer.seek(first)
            return self._key._value_buffer.read(end - first)


class JoinedParts:
    """All parts of an upload, in a file that becomes the blob's."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()
        self.size = 0

    def add(self, part: bytes) -> None:
        self.file.write(part)
        self.size += len(part)


def get_object(response: S3Response):
    """As moto's, but a range is not cut out of the whole blob."""
    wanted = RANGE.fullmatch(response.headers.get("range") or "")
    _request.wants_range = wanted is not None and (not wanted[2] or int(wanted[1]) <= int(wanted[2]))
    try:
        return _get_object(response)
    finally:
        _request.wants_range = False


def value(key: FakeKey) -> bytes | StoredBytes:
    return StoredBytes(key) if getattr(_request, "wants_range", False) else _whole_value.fget(key)


def set_value(key: FakeKey, new_value: bytes | JoinedParts) -> None:
    if isinstance(new_value, JoinedParts):
        key._value_buffer.close()
        key._value_buffer, key.contentsize = new_value.file, new_value.size
    else:
        _whole_value.fset(key, new_value)


def complete(upload: FakeMultipart, body: Iterator[tuple[int, str]]):
    """As moto's, one part after the other."""
    algorithm, kind = (upload.metadata.get(f"x-amz-checksum-{name}") for name in ("algorithm", "type"))
    checksums = MultipartChecksumBuilder(algorithm, kind)
    if algorithm is not None and checksums.checksum_type != "COMPOSITE":
        return _complete(upload, body)
    joined, digests, last, count = JoinedParts(), b"", None, 0
    for number, tag in body:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != tag.strip('"'):
            raise InvalidPart()
        if last is not None and last.contentsize < S3_UPLOAD_PART_MIN_SIZE:
            raise EntityTooSmall()
        part_bytes = part.value
        joined.add(part_bytes)
        digests += bytes.fromhex(part.etag.strip('"'))
        if algorithm is not None:
            checksums.addPart(part_bytes)
        last, count = part, count + 1
    if last is None:
        raise MalformedXML
    upload.dispose()
    tag = f"{md5(digests, usedforsecurity=False).hexdigest()}-{count}"
    return joined, tag, checksums.build() if algorithm is not None else None


S3Response.get_object = get_object
FakeKey.value = property(value, set_value)
FakeMultipart.complete = complete

if __name__ == "__main__":
    main()
