import Domain
import NIOCore
import Testing

@testable import VideoStreaming

/// Which requests are the same but for the numbers of their range, and what is put into the head of their answers.
struct RangeRequestTests {
    private static func request(_ range: String, _ rest: String = "") -> ByteBuffer {
        ByteBuffer(string: "GET /video?id=1 HTTP/1.1\r\nHost: a\r\nRange: \(range)\r\nAccept: */*\(rest)\r\n\r\n")
    }

    @Test func theNumbersOfTheSameRequestAreRead() throws {
        let request = try #require(RangeRequest(Self.request("bytes=0-9")))
        let largest = "999999999999999999"
        #expect(request.numbers(in: Self.request("bytes=0-9")) == .init(first: 0, last: 9))
        #expect(request.numbers(in: Self.request("bytes=123-65658")) == .init(first: 123, last: 65_658))
        #expect(request.numbers(in: Self.request("bytes=007-7")) == .init(first: 7, last: 7))
        #expect(
            request.numbers(in: Self.request("bytes=5-\(largest)")) == .init(first: 5, last: 999_999_999_999_999_999))
    }

    @Test(arguments: [
        "bytes=9-8", "bytes=-9", "bytes=9-", "bytes=0-1,3-4", "bytes=0-9 ", "bytes= 0-9", "bytes=+1-9", "bytes=a-9",
        "Bytes=0-9",
        "bytes=0-1000000000000000000", "bytes=0-9\r\nX: 1", "lines=0-9", "bytes=0--9", "",
    ])
    func whatIsNotTheSameHasNone(range: String) throws {
        let request = try #require(RangeRequest(Self.request("bytes=0-9")))
        #expect(request.numbers(in: Self.request(range)) == nil)
        #expect(request.numbers(in: Self.request("bytes=0-9", range.isEmpty ? "x" : ", \(range)")) == nil)
    }

    @Test func everyByteElseMatters() throws {
        let text = "GET /video?id=1 HTTP/1.1\r\nHost: a\r\nRange: bytes=10-29\r\nAccept: */*\r\n\r\n"
        let request = try #require(RangeRequest(ByteBuffer(string: text)))
        let numbers = try #require(text.utf8.firstRange(of: "10-29".utf8))
        for place in text.utf8.indices where !numbers.contains(place) {
            var changed = Array(text.utf8)
            changed[text.utf8.distance(from: text.utf8.startIndex, to: place)] ^= 0x20
            #expect(request.numbers(in: ByteBuffer(bytes: changed)) == nil)
        }
        for count in 0..<text.utf8.count {
            #expect(request.numbers(in: ByteBuffer(bytes: text.utf8.prefix(count))) == nil)
        }
        #expect(request.numbers(in: ByteBuffer(string: text + "G")) == nil)
        #expect(request.numbers(in: ByteBuffer(string: text + text)) == nil)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n", "GET / HTTP/1.1\r\nRANGE:bytes=0-9\r\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nIf-Range: \"a\"\r\nrange:   bytes=0-9\r\n\r\n",
    ])
    func theseAreLearned(text: String) {
        #expect(
            RangeRequest(ByteBuffer(string: text))?.numbers(in: ByteBuffer(string: text)) == .init(first: 0, last: 9))
    }

    @Test(arguments: [
        "", "GET ", "GET / HTTP/1.1\r\n", "HEAD / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n",
        " GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n", "\r\nGET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n",
        "GET / HTTP/1.1\nRange: bytes=0-9\r\n\r\n", "GET / HTTP/1.1\r\nRange: bytes=0-9\n\n",
        "GET / HTTP/1.1\r\nRange: bytes=0-9\r\r\n\r\n", "GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\nRange: bytes=0-9\r\n\r\n", "GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\tb\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n",
        "GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\nx", "GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r",
    ])
    func whatMayBeMoreOrLessThanARequestIsNot(text: String) {
        #expect(!RangeRequest.isWhole(ByteBuffer(string: text)))
        #expect(RangeRequest(ByteBuffer(string: text)) == nil)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nRange: bytes=0-9\r\nRange: bytes=0-9\r\n\r\n",
        "GET / HTTP/1.1\r\nRange: bytes=-9\r\n\r\n", "GET / HTTP/1.1\r\nRange: bytes=0-1,2-3\r\n\r\n",
        "GET / HTTP/1.1\r\nX-Range: bytes=0-9\r\n\r\n", "GET /Range:bytes=0-9 HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func whatHasNotOneRangeIsWholeAndNotLearned(text: String) {
        #expect(RangeRequest.isWhole(ByteBuffer(string: text)))
        #expect(RangeRequest(ByteBuffer(string: text)) == nil)
    }

    private static func head(_ fields: String) -> ByteBuffer {
        ByteBuffer(string: "HTTP/1.1 206 Partial Content\r\nETag: \"10-19\"\r\n\(fields)\r\n\r\n")
    }

    @Test(arguments: [
        (
            "Content-Length: 10\r\nDate: now\r\nContent-Range: bytes 10-19/1000",
            "Content-Length: 901\r\nDate: now\r\nContent-Range: bytes 99-999/1000"
        ),
        (
            "content-range: bytes 10-19/1000\r\nA: b\r\nCONTENT-LENGTH: 10\r\nX: 10",
            "content-range: bytes 99-999/1000\r\nA: b\r\nCONTENT-LENGTH: 901\r\nX: 10"
        ),
    ])
    func numbersOfAnotherRangeArePutIntoTheHead(fields: String, expected: String) throws {
        let (range, other) = try (#require(ByteRange(first: 10, last: 19)), #require(ByteRange(first: 99, last: 999)))
        let head = try #require(RangeHead(Self.head(fields), range: range, size: 1_000))
        #expect(head.with(other, allocator: ByteBufferAllocator()) == Self.head(expected))
        #expect(head.with(range, allocator: ByteBufferAllocator()) == Self.head(fields))
    }

    @Test(arguments: [
        "Content-Length: 10", "Content-Range: bytes 10-19/1000",
        "Content-Length: 10\r\nContent-Range: bytes 10-19/1001",
        "Content-Length: 10\r\nContent-Range: bytes 10-18/1000",
        "Content-Length: 11\r\nContent-Range: bytes 10-19/1000",
        "Content-Length: 10\r\nContent-Length: 10\r\nContent-Range: bytes 10-19/1000",
        "Content-Length: 10\r\nContent-Range: bytes 10-19/1000\r\n\r\nbody",
    ])
    func aHeadThatSaysAnythingElseIsNotLearned(fields: String) throws {
        let range = try #require(ByteRange(first: 10, last: 19))
        #expect(RangeHead(Self.head(fields), range: range, size: 1_000) == nil)
    }
}
