/// The few frames of HTTP/2 (RFC 9113) that a test sends by hand.
enum HTTP2Frames {
    /// What a client begins with, and settings that change nothing.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(type: 4, flags: 0, stream: 0, [])

    /// A request without a body. Numbers are those of HPACK's static table (RFC 7541 appendix A).
    static func get(_ target: String, range: String, stream: UInt32) -> [UInt8] {
        // GET, https; the others literally and without an index: :path, :authority, range (50, in two bytes).
        let fields = [0x82, 0x87] + [0x04] + text(target) + [0x01] + text("127.0.0.1") + [0x0F, 0x23] + text(range)
        // END_STREAM and END_HEADERS.
        return frame(type: 1, flags: 0x5, stream: stream, fields)
    }

    /// RST_STREAM with CANCEL.
    static func reset(stream: UInt32) -> [UInt8] {
        frame(type: 3, flags: 0, stream: stream, [0, 0, 0, 8])
    }

    private static func text(_ text: String) -> [UInt8] {
        // Shorter than 127 bytes, and not compressed.
        [UInt8(text.utf8.count)] + Array(text.utf8)
    }

    private static func frame(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let (count, stream) = (UInt32(payload.count), stream & 0x7FFF_FFFF)
        let length = (0..<3).reversed().map { UInt8(truncatingIfNeeded: count >> (8 * UInt32($0))) }
        let number = (0..<4).reversed().map { UInt8(truncatingIfNeeded: stream >> (8 * UInt32($0))) }
        return length + [type, flags] + number + payload
    }
}
