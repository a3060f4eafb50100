import Domain

/// One element of a `Range` field in bytes (RFC 9110 section 14.1.2).
///
/// Numbers past `Int64.max` are taken as `Int64.max`, which is past the end of every object.
enum RangeSpecifier: Sendable, Hashable {
    /// `first-last`, with `first <= last`.
    case bounded(first: Int64, last: Int64)
    /// `first-`: to the end.
    case from(first: Int64)
    /// `-count`: the last bytes.
    case suffix(count: Int64)

    /// The bytes that it selects of an object, clamped to its end; `nil` when it selects none ("unsatisfiable").
    ///
    /// A suffix of an empty object selects nothing either: there is no range that could be named in `Content-Range`.
    func resolved(size: Int64) -> ByteRange? {
        guard size > 0 else { return nil }
        switch self {
        case .bounded(let first, let last):
            guard first < size else { return nil }
            return ByteRange(first: first, last: min(last, size - 1))
        case .from(let first):
            guard first < size else { return nil }
            return ByteRange(first: first, last: size - 1)
        case .suffix(let count):
            guard count > 0 else { return nil }
            return ByteRange(first: max(0, size - count), last: size - 1)
        }
    }
}

extension RangeSpecifier {
    /// Reads the value of a `Range` field.
    ///
    /// - Returns: The ranges in the order in which they were asked for, at least one; `nil` when the unit is not `bytes`
    ///   or any part is malformed, in which case the whole field is ignored (section 14.2).
    static func list(_ text: String) -> [RangeSpecifier]? {
        let bytes = Array(text.utf8)
        guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        guard String(decoding: bytes[..<equals], as: UTF8.self).lowercased() == "bytes" else { return nil }
        var specifiers: [RangeSpecifier] = []
        for element in bytes[(equals + 1)...].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let trimmed = trim(element)
            if trimmed.isEmpty { continue }
            guard let specifier = RangeSpecifier(trimmed) else { return nil }
            specifiers.append(specifier)
        }
        return specifiers.isEmpty ? nil : specifiers
    }

    private init?(_ text: ArraySlice<UInt8>) {
        guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let left = text[..<dash]
        let right = text[(dash + 1)...]
        switch (left.isEmpty, right.isEmpty) {
        case (true, true):
            return nil
        case (true, false):
            guard let count = Self.number(right) else { return nil }
            self = .suffix(count: count)
        case (false, true):
            guard let first = Self.number(left) else { return nil }
            self = .from(first: first)
        case (false, false):
            guard let first = Self.number(left), let last = Self.number(right), first <= last else { return nil }
            self = .bounded(first: first, last: last)
        }
    }

    /// Digits only; more than fit give `Int64.max`.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            value = overflow || carried ? .max : sum
        }
        return value
    }

    private static func trim(_ element: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var element = element
        while let first = element.first, first == 0x20 || first == 0x09 { element.removeFirst() }
        while let last = element.last, last == 0x20 || last == 0x09 { element.removeLast() }
        return element
    }
}
