public import ServiceContextModule

/// Which trace a piece of work belongs to, as W3C's Trace Context carries it
/// (https://www.w3.org/TR/trace-context-1/): the id of the trace, and the id of the span that the work is done in.
///
/// Millrace records no spans; it makes their ids, so that what others record fits together, and so that the log lines of one
/// request can be found in all processes.
public struct TraceContext: Sendable, Hashable {
    /// What tracing tools need is far below; the standard asks to carry at least so many bytes.
    static let maxStateBytes = 512

    private let traceHigh: UInt64
    private let traceLow: UInt64
    private let span: UInt64
    private let isSampled: Bool
    /// What the tracing tools of others have added; passed on as it is.
    public let tracestate: String?

    private init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, isSampled: Bool, tracestate: String?) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.isSampled = isSampled
        self.tracestate = tracestate
    }

    /// Reads what came with a request; `nil` when `traceparent` is malformed or one of its ids is 0: then a new trace begins.
    ///
    /// - Parameters:
    ///   - traceparent: Version, trace, span and flags, in lower-case hexadecimal digits. Of a version above 0 the parts that
    ///     version 0 has are taken, as the standard says.
    ///   - tracestate: Left away when it is longer than 512 bytes or not visible ASCII.
    public init?(traceparent: String, tracestate: String?) {
        let bytes = Array(traceparent.utf8.prefix(56))
        guard bytes.count >= 55, bytes[2] == Self.dash, bytes[35] == Self.dash, bytes[52] == Self.dash,
            let version = Self.hexadecimal(bytes[0..<2]), version != 0xFF,
            bytes.count == 55 || (version > 0 && bytes[55] == Self.dash),
            let high = Self.hexadecimal(bytes[3..<19]), let low = Self.hexadecimal(bytes[19..<35]),
            let span = Self.hexadecimal(bytes[36..<52]), let flags = Self.hexadecimal(bytes[53..<55]),
            high | low != 0, span != 0
        else { return nil }
        let state = tracestate.flatMap { Self.isCarried($0) ? $0 : nil }
        self.init(traceHigh: high, traceLow: low, span: span, isSampled: flags & 1 == 1, tracestate: state)
    }

    /// A trace that begins here. Nobody records it, so it is not sampled.
    public static func new() -> TraceContext {
        TraceContext(
            traceHigh: TraceNumbers.next(), traceLow: TraceNumbers.next(), span: TraceNumbers.next(), isSampled: false,
            tracestate: nil)
    }

    /// The same trace in a span of its own.
    public func child() -> TraceContext {
        TraceContext(
            traceHigh: traceHigh, traceLow: traceLow, span: TraceNumbers.next(), isSampled: isSampled,
            tracestate: tracestate)
    }

    /// 32 hexadecimal digits.
    public var traceID: String { Self.digits(traceHigh) + Self.digits(traceLow) }

    /// 16 hexadecimal digits.
    public var spanID: String { Self.digits(span) }

    /// As it is passed on. Of the flags only the one is known that says whether the trace is sampled.
    public var traceparent: String {
        "00-\(Self.digits(traceHigh))\(Self.digits(traceLow))-\(Self.digits(span))-\(isSampled ? "01" : "00")"
    }

    private static let dash = UInt8(ascii: "-")

    private static func isCarried(_ state: String) -> Bool {
        !state.isEmpty && state.utf8.count <= maxStateBytes && state.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    private static func digits(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> (60 - 4 * UInt64(index))) & 0xF
                buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 16
        }
    }
}

extension ServiceContext {
    private enum Key: ServiceContextKey {
        typealias Value = TraceContext
        static let nameOverride: String? = "millrace-trace"
    }

    /// The trace that this task works for.
    public var trace: TraceContext? {
        get { self[Key.self] }
        set { self[Key.self] = newValue }
    }
}
