import Domain
import Foundation
import HTTPTypes
import TestKit
import Testing

@testable import VideoStreaming

/// Requests at random, 50,000 of them, a million in the long run: whatever comes, no crash, never a byte outside the object,
/// never more bytes than announced, and a plan whose parts agree. The seed is printed with a failure; `MILLRACE_SEED` repeats
/// it.
struct PlannerFuzzTests {
    private static let names: [HTTPField.Name] = [
        .range, .ifRange, .ifMatch, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince,
    ]
    private static let pieces = [
        "bytes", "=", "-", ",", " ", "\t", "0", "1", "9", "999", "1000", "1001", "9223372036854775807",
        "99999999999999999999999999", "\"v1\"", "W/", "\"", "*", "\"v2\"", "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tuesday, 14-Nov-23 22:13:20 GMT", "Tue Nov 14 22:13:20 2023", "Nov", ":", "GMT", "ü", "\u{301}", "\u{0}", "/",
        "e",
        "bytes=0-1", "bytes=-1", "0-0,", "1-1,", "-1,", "5-,", "2-3,3-2,",
    ]

    private static let seed = environmentSeed ?? .random(in: 0 ... .max)

    private static var environmentSeed: UInt64? {
        ProcessInfo.processInfo.environment["MILLRACE_SEED"].flatMap { UInt64($0) }
    }

    @Test func noRequestBreaksThePlan() async throws {
        print("seed of the planner's fuzz test: \(Self.seed)")
        var random = SeededRandom(seed: Self.seed)
        for number in 0..<(LongRuns.areWanted ? 1_000_000 : 50_000) {
            // Leaves the threads to the tests that measure time.
            if number.isMultiple(of: 100) { await Task.yield() }
            let size: Int64 = [0, 1, 1_000, 100_000, .max - 1].randomElement(using: &random) ?? 0
            let method: HTTPRequest.Method = Bool.random(using: &random) ? .get : .head
            let fields = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (Self.names.randomElement(using: &random) ?? .range, Self.text(&random))
            }
            let one = ResponsePlannerTests.Case(fields, 0, method: method, size: size)
            let plan = try ResponsePlannerTests.plan(one)
            guard Self.isSound(plan, size: size, method: method) else {
                ResponsePlannerTests.checkConsistency(plan, size: size, method: method)
                Issue.record("seed \(Self.seed): unsound plan \(plan) for \(one.testDescription)")
                return
            }
        }
    }

    private static func text(_ random: inout SeededRandom) -> String {
        let start = Bool.random(using: &random) ? "bytes=" : ""
        return (0..<Int.random(in: 0...7, using: &random)).reduce(into: start) { text, _ in
            text += pieces.randomElement(using: &random) ?? ""
        }
    }

    private static func isSound(_ plan: ResponsePlan, size: Int64, method: HTTPRequest.Method) -> Bool {
        switch (plan.status.code, plan.body) {
        case (200, .none):
            (method == .head || size == 0) && plan.fields[.contentLength] == "\(size)"
        case (200, .bytes(let range)):
            method == .get && range.first == 0 && range.count == size && plan.fields[.contentLength] == "\(size)"
        case (206, .bytes(let range)):
            method == .get && range.last < size && plan.fields[.contentLength] == "\(range.count)"
                && plan.fields[.contentRange] == "bytes \(range)/\(size)"
        case (206, .parts(let parts)):
            method == .get && parts.length <= size && plan.fields[.contentLength] == "\(parts.length)"
                && parts.ranges.allSatisfy { $0.last < size } && (2...16).contains(parts.ranges.count)
        case (304, .none):
            plan.fields[.contentLength] == nil
        case (412, .problem):
            plan.fields[.contentRange] == nil
        case (416, .problem):
            method == .get && plan.fields[.contentRange] == "bytes */\(size)"
        default:
            false
        }
    }
}
