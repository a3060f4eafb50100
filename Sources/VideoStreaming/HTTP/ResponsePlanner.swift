import Domain
import HTTPTypes

/// Decides how to answer GET and HEAD for one object, as RFC 9110 says: preconditions (section 13), then ranges
/// (section 14). Pure: the same input always gives the same plan.
///
/// Where the RFC leaves a choice:
/// - Several satisfiable ranges are sent as `multipart/byteranges`, in the order in which they were asked for, overlapping
///   ones as they are; if only one of them is satisfiable, that one is sent by itself. Where more than
///   ``MultipartRanges/maxCount`` are asked for, or the body would be longer than the object, the whole object is sent with
///   200 (section 14.2 allows a server to ignore `Range`).
/// - A `Range` that is malformed, in an unknown unit or sent twice is ignored.
/// - `Cache-Control: no-cache` lets caches keep the bytes but makes them ask before each use: the bytes behind an id may
///   be replaced at any time, and asking costs one 304.
struct ResponsePlanner: Sendable {
    /// The object, as every answer describes it.
    let representation: Representation
    /// The time at which the answer is made.
    let now: HTTPDate
    /// Makes what separates the parts of a body.
    var makeBoundary: @Sendable () -> String = MultipartRanges.randomBoundary

    private var facts: ObjectFacts { representation.facts }
    private var entityTag: EntityTag { representation.entityTag }
    private var lastModified: HTTPDate? { representation.lastModified }
    private var validators: HTTPFields { representation.validators }

    /// Makes the plan for a request with this method, GET or HEAD, and these header fields.
    func plan(method: HTTPRequest.Method, fields: HTTPFields) -> ResponsePlan {
        switch evaluatePreconditions(fields) {
        case .failed(let field):
            return preconditionFailed(field)
        case .notModified:
            return ResponsePlan(status: .notModified, fields: validators, body: .none)
        case .passed:
            break
        }
        guard method == .get, let text = fields[.range], ifRangeHolds(fields),
            let specifiers = RangeSpecifier.list(text)
        else { return whole(method: method) }
        guard specifiers.count <= MultipartRanges.maxCount else { return whole(method: method) }
        let satisfiable = specifiers.compactMap { $0.resolved(size: facts.size) }
        guard let first = satisfiable.first else { return unsatisfiable() }
        return satisfiable.count == 1 ? partial(first) : several(satisfiable) ?? whole(method: method)
    }
}

// MARK: - Conditions

extension ResponsePlanner {
    private enum Verdict {
        case passed
        case notModified
        case failed(HTTPField.Name)
    }

    /// The order of section 13.2.2, for GET and HEAD.
    private func evaluatePreconditions(_ fields: HTTPFields) -> Verdict {
        if let text = fields[.ifMatch] {
            if !EntityTagCondition(text).holdsStrongly(for: entityTag) { return .failed(.ifMatch) }
        } else if let date = date(in: fields, .ifUnmodifiedSince), let lastModified, lastModified > date {
            return .failed(.ifUnmodifiedSince)
        }
        if let text = fields[.ifNoneMatch] {
            if EntityTagCondition(text).holdsWeakly(for: entityTag) { return .notModified }
        } else if let date = date(in: fields, .ifModifiedSince), let lastModified, lastModified <= date {
            return .notModified
        }
        return .passed
    }

    /// Whether `Range` counts (section 13.1.5): no `If-Range`, the current entity tag by strong comparison, or exactly the
    /// date of the last change when that is a strong validator, that is, at least one second old.
    private func ifRangeHolds(_ fields: HTTPFields) -> Bool {
        guard let text = fields[.ifRange] else { return true }
        if let tag = EntityTag(text) { return tag.matchesStrongly(entityTag) }
        guard let date = HTTPDate(text, now: now), let lastModified else { return false }
        return date == lastModified && lastModified < now
    }

    /// The date of a field; `nil` when the field is missing or holds no date, in which case it is ignored.
    private func date(in fields: HTTPFields, _ name: HTTPField.Name) -> HTTPDate? {
        fields[name].flatMap { HTTPDate($0, now: now) }
    }
}

// MARK: - Answers

extension ResponsePlanner {
    private func fields(length: Int64) -> HTTPFields {
        var fields = HTTPFields()
        // Room for what others add: one allocation for all fields.
        fields.reserveCapacity(representation.fields.count + 12)
        fields.append(contentsOf: representation.fields)
        fields.append(HTTPField(name: .contentLength, value: String(length)))
        return fields
    }

    private func whole(method: HTTPRequest.Method) -> ResponsePlan {
        let range = ByteRange(first: 0, last: facts.size - 1)
        let body = method == .head ? ResponsePlan.Body.none : range.map(ResponsePlan.Body.bytes) ?? .none
        return ResponsePlan(status: .ok, fields: fields(length: facts.size), body: body)
    }

    private func partial(_ range: ByteRange) -> ResponsePlan {
        var fields = fields(length: range.count)
        fields[.contentRange] = "bytes \(range)/\(facts.size)"
        return ResponsePlan(status: .partialContent, fields: fields, body: .bytes(range))
    }

    /// - Returns: `nil` when it would be more than the whole.
    private func several(_ ranges: [ByteRange]) -> ResponsePlan? {
        let parts = MultipartRanges(
            ranges: ranges, size: facts.size, contentType: representation.contentType, boundary: makeBoundary())
        let length = parts.length
        guard length <= facts.size else { return nil }
        var fields = fields(length: length)
        fields[.contentType] = parts.mediaType
        return ResponsePlan(status: .partialContent, fields: fields, body: .parts(parts))
    }

    private func unsatisfiable() -> ResponsePlan {
        var fields = validators
        fields[.acceptRanges] = "bytes"
        fields[.contentRange] = "bytes */\(facts.size)"
        let problem = Problem(
            status: .rangeNotSatisfiable,
            detail: "The video has \(facts.size) bytes; none of them lies in the range that was asked for.")
        return ResponsePlan(status: .rangeNotSatisfiable, fields: fields, body: .problem(problem))
    }

    private func preconditionFailed(_ field: HTTPField.Name) -> ResponsePlan {
        let problem = Problem(
            status: .preconditionFailed,
            detail: "The video is not in the state that \(field.rawName) asks for; its entity tag is \(entityTag).")
        return ResponsePlan(status: .preconditionFailed, fields: validators, body: .problem(problem))
    }
}
