import Domain
import Foundation
import HTTPTypes
import Testing

@testable import VideoStreaming

/// RFC 9110 as a table: an object of 1,000 bytes, version `v1`, last changed on 14 November 2023 at 22:13:20 GMT.
struct ResponsePlannerTests {
    static let modified = "Tue, 14 Nov 2023 22:13:20 GMT"
    static let before = "Tue, 14 Nov 2023 22:13:19 GMT"
    static let after = "Tue, 14 Nov 2023 22:13:21 GMT"

    struct Case: Sendable, CustomTestStringConvertible {
        var fields: [(HTTPField.Name, String)]
        var status: Int
        var range: String?
        var method = HTTPRequest.Method.get
        var size: Int64 = 1_000

        var testDescription: String {
            let request = fields.map { "\($0.0): \($0.1)" }.joined(separator: "; ")
            return "\(method) of \(size) bytes, \(request) → \(status) \(range ?? "")"
        }

        init(
            _ fields: [(HTTPField.Name, String)], _ status: Int, _ range: String? = nil,
            method: HTTPRequest.Method = .get, size: Int64 = 1_000
        ) {
            self.fields = fields
            self.status = status
            self.range = range
            self.method = method
            self.size = size
        }

        init(_ range: String, _ status: Int, _ sent: String? = nil, size: Int64 = 1_000) {
            self.init([(.range, range)], status, sent, size: size)
        }
    }

    static func plan(_ one: Case, modified: Double = 1_700_000_000, now: Int64 = 1_800_000_000) throws -> ResponsePlan {
        let facts = ObjectFacts(
            key: try StorageKey("a.mp4"), version: try #require(ObjectVersion("v1")), size: one.size, contentType: nil,
            modifiedAt: Date(timeIntervalSince1970: modified), chunkBytes: 4_096)
        let now = try #require(HTTPDate(secondsSinceEpoch: now))
        let representation = Representation(
            facts: facts, contentType: "video/mp4", now: now, extraFields: [.contentDisposition: "inline"])
        let planner = ResponsePlanner(representation: representation, now: now, makeBoundary: { "a-boundary" })
        var fields = HTTPFields()
        for (name, value) in one.fields { fields.append(HTTPField(name: name, value: value)) }
        return planner.plan(method: one.method, fields: fields)
    }

    /// "0-0,2-2,4-4,…"
    static func list(_ count: Int, from start: Int = 0) -> String {
        (0..<count).map { "\(start + 2 * $0)-\(start + 2 * $0)" }.joined(separator: ",")
    }

    /// Whatever the plan is, its parts must agree with one another.
    static func checkConsistency(_ plan: ResponsePlan, size: Int64, method: HTTPRequest.Method) {
        #expect(plan.fields[.eTag] == "\"v1\"")
        #expect(plan.fields[.cacheControl] == "no-cache")
        switch plan.body {
        case .bytes(let range):
            #expect(method == .get)
            #expect(plan.fields[.contentLength] == String(range.count))
            #expect(range.last < size)
            #expect(plan.status == (plan.fields[.contentRange] == nil ? .ok : .partialContent))
            if plan.status == .ok { #expect(range.first == 0 && range.last == size - 1) }
        case .parts(let parts):
            #expect(method == .get && plan.status == .partialContent)
            #expect(plan.fields[.contentLength] == String(parts.length))
            #expect(plan.fields[.contentType] == "multipart/byteranges; boundary=\(parts.boundary)")
            #expect(plan.fields[.contentRange] == nil)
            #expect(parts.length <= size && (2...16).contains(parts.ranges.count))
            #expect(parts.ranges.allSatisfy { $0.last < size })
        case .none:
            #expect([.ok, .notModified].contains(plan.status))
            if plan.status == .ok {
                #expect(plan.fields[.contentLength] == String(size))
                #expect(method == .head || size == 0)
            }
        case .problem(let problem):
            #expect(problem.status == plan.status)
            #expect(plan.fields[.contentLength] == nil)
        }
    }

    static let ranges: [Case] = [
        Case([], 200, "0-999"),
        Case("bytes=0-0", 206, "0-0"), Case("bytes=0-499", 206, "0-499"), Case("bytes=500-999", 206, "500-999"),
        Case("bytes=999-999", 206, "999-999"), Case("bytes=0-999", 206, "0-999"), Case("bytes=0-", 206, "0-999"),
        Case("bytes=999-", 206, "999-999"), Case("bytes=-1", 206, "999-999"), Case("bytes=-1000", 206, "0-999"),
        Case("bytes=007-0010", 206, "7-10"), Case("BYTES=1-2", 206, "1-2"), Case("bytes= 1-2 ", 206, "1-2"),
        Case("bytes=,, 1-2\t,", 206, "1-2"),
        // Past the end: clamped, or not satisfiable.
        Case("bytes=0-1000", 206, "0-999"), Case("bytes=998-99999", 206, "998-999"),
        Case("bytes=-1001", 206, "0-999"), Case("bytes=1000-", 416), Case("bytes=1000-1000", 416),
        Case("bytes=-0", 416),
        // More digits than an integer has.
        Case("bytes=0-999999999999999999999999999999", 206, "0-999"),
        Case("bytes=-999999999999999999999999999999", 206, "0-999"),
        Case("bytes=999999999999999999999999999999-", 416),
        Case("bytes=9223372036854775807-9223372036854775807", 416),
        Case("bytes=9223372036854775806-9223372036854775807", 416),
        Case("bytes=18446744073709551616-18446744073709551617", 416),
        // Malformed or unknown: ignored.
        Case("", 200, "0-999"), Case("bytes", 200, "0-999"), Case("bytes=", 200, "0-999"),
        Case("bytes=,", 200, "0-999"),
        Case("bytes=-", 200, "0-999"), Case("bytes=5", 200, "0-999"), Case("bytes=5-4", 200, "0-999"),
        Case("bytes=a-b", 200, "0-999"), Case("bytes=0x1-2", 200, "0-999"), Case("bytes=+1-2", 200, "0-999"),
        Case("bytes=--1", 200, "0-999"), Case("bytes=1--2", 200, "0-999"), Case("bytes=1 -2", 200, "0-999"),
        Case("bytes 1-2", 200, "0-999"), Case("bytes =1-2", 200, "0-999"), Case("bytes=1-2;", 200, "0-999"),
        Case("bytes=1-2/1000", 200, "0-999"), Case("items=1-2", 200, "0-999"), Case("bytes=1-2,x", 200, "0-999"),
        Case("bytes=١-٢", 200, "0-999"), Case("=1-2", 200, "0-999"), Case("bytes=1.0-2", 200, "0-999"),
        Case([(.range, "bytes=1-2"), (.range, "bytes=1-2")], 200, "0-999"),
        // Several: in the order in which they were asked for, overlapping ones as they are.
        Case("bytes=0-1,5-6", 206, "0-1,5-6"), Case("bytes=5-6, 0-1", 206, "5-6,0-1"),
        Case("bytes=0-5,3-9,3-9", 206, "0-5,3-9,3-9"), Case("bytes=0-0,-1", 206, "0-0,999-999"),
        Case("bytes=,0-0,,2-2,", 206, "0-0,2-2"),
        Case([(.range, "bytes=0-0,2-2"), (.ifRange, "\"v1\"")], 206, "0-0,2-2"),
        Case([(.range, "bytes=0-0,2-2"), (.ifRange, "\"v2\"")], 200, "0-999"),
        Case([(.range, "bytes=0-0,2-2")], 200, method: .head),
        // At most one of them selects anything.
        Case("bytes=0-1,5000-", 206, "0-1"), Case("bytes=-0,5-6", 206, "5-6"), Case("bytes=1000-,2000-", 416),
        Case("bytes=0-0,5-4", 200, "0-999"),
        // Never more bytes than the object has, all that stands between the parts included.
        Case("bytes=0-,0-,0-,0-", 200, "0-999"), Case("bytes=0-499,500-999", 200, "0-999"),
        Case("bytes=0-9,20-29", 200, "0-99", size: 100),
        // At most sixteen.
        Case("bytes=" + list(16), 206, list(16), size: 100_000),
        Case("bytes=" + list(17), 200, "0-99999", size: 100_000),
        Case("bytes=" + list(5_000), 200, "0-99999", size: 100_000),
        Case("bytes=0-0," + list(16, from: 200_000), 200, "0-99999", size: 100_000),
        // HEAD knows no ranges.
        Case([(.range, "bytes=0-1")], 200, method: .head), Case([(.range, "bytes=5000-")], 200, method: .head),
        Case([], 200, method: .head),
        // Small objects.
        Case([], 200, size: 0), Case([], 200, method: .head, size: 0), Case("bytes=0-0", 416, size: 0),
        Case("bytes=0-", 416, size: 0), Case("bytes=-5", 416, size: 0), Case("junk", 200, size: 0),
        Case("bytes=0-0", 206, "0-0", size: 1), Case("bytes=-9", 206, "0-0", size: 1), Case("bytes=1-", 416, size: 1),
        // The largest object that can be named.
        Case("bytes=-1", 206, "\(Int64.max - 2)-\(Int64.max - 2)", size: .max - 1),
        Case("bytes=0-99999999999999999999", 206, "0-\(Int64.max - 2)", size: .max - 1),
    ]

    static let conditions: [Case] = [
        // If-None-Match: weak comparison, a list, any.
        Case([(.ifNoneMatch, "\"v1\"")], 304), Case([(.ifNoneMatch, "W/\"v1\"")], 304),
        Case([(.ifNoneMatch, "*")], 304), Case([(.ifNoneMatch, " * ")], 304),
        Case([(.ifNoneMatch, "\"a\", \"v1\"")], 304), Case([(.ifNoneMatch, "\"a\",,W/\"b\" ,\"v1\",")], 304),
        Case([(.ifNoneMatch, "\"a,b\",\"v1\"")], 304), Case([(.ifNoneMatch, "\"a\""), (.ifNoneMatch, "\"v1\"")], 304),
        Case([(.ifNoneMatch, "\"v2\"")], 200, "0-999"), Case([(.ifNoneMatch, "")], 200, "0-999"),
        Case([(.ifNoneMatch, "v1")], 200, "0-999"), Case([(.ifNoneMatch, "\"v1")], 200, "0-999"),
        Case([(.ifNoneMatch, "w/\"v1\"")], 200, "0-999"), Case([(.ifNoneMatch, "\"a\" \"v1\"")], 200, "0-999"),
        Case([(.ifNoneMatch, "*, \"x\"")], 200, "0-999"), Case([(.ifNoneMatch, "\"V1\"")], 200, "0-999"),
        Case([(.ifNoneMatch, "\"v1\"")], 304, method: .head), Case([(.ifNoneMatch, "\"v1\"")], 304, size: 0),
        // If-Modified-Since: only without If-None-Match, only when it is a date.
        Case([(.ifModifiedSince, modified)], 304), Case([(.ifModifiedSince, after)], 304),
        Case([(.ifModifiedSince, "Tuesday, 14-Nov-23 22:13:20 GMT")], 304),
        Case([(.ifModifiedSince, "Tue Nov 14 22:13:20 2023")], 304),
        Case([(.ifModifiedSince, before)], 200, "0-999"), Case([(.ifModifiedSince, "yesterday")], 200, "0-999"),
        Case([(.ifModifiedSince, modified), (.ifModifiedSince, modified)], 200, "0-999"),
        Case([(.ifNoneMatch, "\"v2\""), (.ifModifiedSince, after)], 200, "0-999"),
        Case([(.ifNoneMatch, "\"v1\""), (.ifModifiedSince, before)], 304),
        // If-Match: strong comparison.
        Case([(.ifMatch, "\"v1\"")], 200, "0-999"), Case([(.ifMatch, "*")], 200, "0-999"),
        Case([(.ifMatch, "\"a\", \"v1\"")], 200, "0-999"), Case([(.ifMatch, "W/\"v1\"")], 412),
        Case([(.ifMatch, "\"v2\"")], 412), Case([(.ifMatch, "")], 412), Case([(.ifMatch, "v1")], 412),
        Case([(.ifMatch, "\"v2\"")], 412, method: .head),
        // If-Unmodified-Since: only without If-Match, only when it is a date.
        Case([(.ifUnmodifiedSince, modified)], 200, "0-999"), Case([(.ifUnmodifiedSince, after)], 200, "0-999"),
        Case([(.ifUnmodifiedSince, before)], 412), Case([(.ifUnmodifiedSince, "yesterday")], 200, "0-999"),
        Case([(.ifMatch, "\"v1\""), (.ifUnmodifiedSince, before)], 200, "0-999"),
        // Precedence: 412 before 304 before 416 and 206.
        Case([(.ifMatch, "\"v2\""), (.ifNoneMatch, "\"v1\"")], 412),
        Case([(.ifMatch, "\"v1\""), (.ifNoneMatch, "\"v1\"")], 304),
        Case([(.ifUnmodifiedSince, before), (.ifModifiedSince, after)], 412),
        Case([(.ifNoneMatch, "\"v1\""), (.range, "bytes=0-1")], 304),
        Case([(.ifNoneMatch, "\"v1\""), (.range, "bytes=5000-")], 304),
        Case([(.ifMatch, "\"v2\""), (.range, "bytes=5000-")], 412),
        Case([(.ifNoneMatch, "\"v2\""), (.range, "bytes=0-1")], 206, "0-1"),
        Case([(.ifMatch, "\"v1\""), (.range, "bytes=5000-")], 416),
        // If-Range: the strong tag or the exact date, else the whole.
        Case([(.ifRange, "\"v1\""), (.range, "bytes=0-1")], 206, "0-1"),
        Case([(.ifRange, modified), (.range, "bytes=0-1")], 206, "0-1"),
        Case([(.ifRange, "W/\"v1\""), (.range, "bytes=0-1")], 200, "0-999"),
        Case([(.ifRange, "\"v2\""), (.range, "bytes=0-1")], 200, "0-999"),
        Case([(.ifRange, "\"v2\""), (.range, "bytes=5000-")], 200, "0-999"),
        Case([(.ifRange, after), (.range, "bytes=0-1")], 200, "0-999"),
        Case([(.ifRange, before), (.range, "bytes=0-1")], 200, "0-999"),
        Case([(.ifRange, "junk"), (.range, "bytes=0-1")], 200, "0-999"),
        Case([(.ifRange, "\"v1\", \"v2\""), (.range, "bytes=0-1")], 200, "0-999"),
        Case([(.ifRange, "*"), (.range, "bytes=0-1")], 200, "0-999"),
        Case([(.ifRange, "\"v1\"")], 200, "0-999"), Case([(.ifRange, "\"v2\"")], 200, "0-999"),
        Case([(.ifRange, "\"v1\""), (.range, "bytes=5000-")], 416),
    ]

    @Test(arguments: ranges + conditions)
    func theTableHolds(one: Case) throws {
        let plan = try Self.plan(one)
        #expect(plan.status.code == one.status)
        switch plan.body {
        case .bytes(let range): #expect(range.description == one.range)
        case .parts(let parts): #expect(parts.ranges.map(\.description).joined(separator: ",") == one.range)
        case .none, .problem: #expect(one.range == nil)
        }
        Self.checkConsistency(plan, size: one.size, method: one.method)
    }

    @Test func aPartSaysWhereItBelongs() throws {
        let fields = try Self.plan(Case("bytes=2-5", 206)).fields
        #expect(fields[.contentRange] == "bytes 2-5/1000")
        #expect(fields[.contentLength] == "4")
        #expect(fields[.acceptRanges] == "bytes")
        #expect(fields[.contentType] == "video/mp4")
        #expect(fields[.lastModified] == Self.modified)
        #expect(fields[.xContentTypeOptions] == "nosniff")
    }

    @Test func severalRangesAreFramedAsMIMEHasIt() throws {
        let plan = try Self.plan(Case("bytes=0-1,5-6", 206))
        guard case .parts(let parts) = plan.body else {
            Issue.record("\(plan)")
            return
        }
        #expect(
            parts.heading(0)
                == "--a-boundary\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-1/1000\r\n\r\n")
        #expect(
            parts.heading(1)
                == "\r\n--a-boundary\r\nContent-Type: video/mp4\r\nContent-Range: bytes 5-6/1000\r\n\r\n")
        #expect(parts.closing == "\r\n--a-boundary--\r\n")
        #expect(parts.length == Int64((parts.heading(0) + parts.heading(1) + parts.closing).utf8.count + 4))
    }

    @Test func noTwoBoundariesAreAlike() {
        let boundaries = Set((0..<1_000).map { _ in MultipartRanges.randomBoundary() })
        #expect(boundaries.count == 1_000)
        // RFC 2046 section 5.1.1: at most 70 characters, here of those that need no quotes.
        let plain = boundaries.allSatisfy { boundary in
            boundary.utf8.count <= 70 && boundary.allSatisfy { $0.isHexDigit || "milrace-".contains($0) }
        }
        #expect(plain)
    }

    @Test func theBytesHaveAName() throws {
        for one in [Case([], 200), Case("bytes=0-1", 206), Case([], 200, method: .head)] {
            #expect(try Self.plan(one).fields[.contentDisposition] == "inline")
        }
        #expect(try Self.plan(Case("bytes=1000-", 416)).fields[.contentDisposition] == nil)
    }

    @Test func anUnsatisfiableRangeIsToldTheSize() throws {
        #expect(try Self.plan(Case("bytes=1000-", 416)).fields[.contentRange] == "bytes */1000")
        #expect(try Self.plan(Case("bytes=0-", 416, size: 0)).fields[.contentRange] == "bytes */0")
    }

    @Test func notModifiedCarriesTheValidatorsAndNoContent() throws {
        let fields = try Self.plan(Case([(.ifNoneMatch, "*")], 304)).fields
        #expect(fields[.eTag] == "\"v1\"")
        #expect(fields[.lastModified] == Self.modified)
        #expect(fields[.contentType] == nil)
        #expect(fields[.contentLength] == nil)
    }

    @Test func aChangeInTheFutureIsDatedNow() throws {
        let plan = try Self.plan(Case([], 200), modified: 1_800_000_100, now: 1_800_000_000)
        #expect(plan.fields[.lastModified] == "Fri, 15 Jan 2027 08:00:00 GMT")
    }

    @Test func aDateOfThisVerySecondIsNoStrongValidator() throws {
        let request = Case([(.ifRange, "Fri, 15 Jan 2027 08:00:00 GMT"), (.range, "bytes=0-1")], 200)
        #expect(try Self.plan(request, modified: 1_800_000_000, now: 1_800_000_000).status == .ok)
        #expect(try Self.plan(request, modified: 1_800_000_000, now: 1_800_000_001).status == .partialContent)
    }

    @Test func aDateThatHTTPCannotWriteIsLeftOut() throws {
        let request = Case([(.ifModifiedSince, Self.after), (.ifUnmodifiedSince, Self.before)], 200)
        let plan = try Self.plan(request, modified: .nan)
        #expect(plan.status == .ok)
        #expect(plan.fields[.lastModified] == nil)
    }
}
