public import NIOCore

/// A response as it came over the socket, nothing interpreted away.
public struct RawHTTPResponse: Sendable {
    /// The status of the first line.
    public var status: Int
    /// Names in lower case and values, in the order in which they came.
    public var fields: [(name: String, value: String)]
    /// The body, as far as it came.
    public var body: ByteBuffer
    /// Whether as many bytes came as Content-Length says (none are expected without it).
    public var isComplete: Bool

    /// The value of a field, the name in lower case; several values are joined by commas.
    public subscript(_ name: String) -> String? {
        let values = fields.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// The body as text.
    public var text: String { String(buffer: body) }

    /// Reads a head; `nil` when the text is not one.
    init?(head: String) {
        var lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
        guard let start = lines.first, start.hasPrefix("HTTP/1.1 "), let status = Int(start.dropFirst(9).prefix(3))
        else { return nil }
        lines.removeFirst()
        self.status = status
        fields = lines.compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            return (parts[0].lowercased(), String(parts[1].drop { $0 == " " }))
        }
        body = ByteBuffer()
        isComplete = false
    }
}
