public import NIOCore

/// A small named value that travels beside a body.
public enum RPCValue: Sendable, Equatable {
    /// UTF-8 text.
    case text(String)
    /// A whole number.
    case number(Int64)
}

/// What a request or a reply carries: a body, its media type, and facts about it that are cheap to read.
public struct RPCPayload: Sendable, Equatable {
    /// The media type of the body.
    public var contentType: String
    /// Facts about the body, such as an offset or a checksum.
    public var fields: [String: RPCValue]
    /// The body. Never copied between the broker's frames and whoever uses it.
    public var body: ByteBuffer
    /// The CRC-32C of the body as it came, where the transport has taken it. Not sent. Whoever changes the body takes it away.
    public var bodyChecksum: UInt32?

    /// `application/json`
    public static let json = "application/json"
    /// `application/octet-stream`
    public static let bytes = "application/octet-stream"

    /// Makes a payload.
    public init(contentType: String, fields: [String: RPCValue] = [:], body: ByteBuffer) {
        self.contentType = contentType
        self.fields = fields
        self.body = body
    }

    /// The text of a field, when it is there and is text.
    public func text(_ name: String) -> String? {
        guard case .text(let text) = fields[name] else { return nil }
        return text
    }

    /// The number of a field, when it is there and is a number.
    public func number(_ name: String) -> Int64? {
        guard case .number(let number) = fields[name] else { return nil }
        return number
    }
}

/// A method that a service offers: its name with its version, such as `storage.read.v1`.
public struct RPCMethod: Sendable, Hashable {
    /// What the message's `type` says.
    public let name: String
    /// The queue that its requests go to.
    public let queue: String
    /// Whether doing it twice is the same as doing it once: then it is sent again when an answer is lost.
    public let isIdempotent: Bool
    /// How long its answer may take at the least before it is asked for once more, where it is idempotent. What moves many bytes
    /// takes long for good reasons, and twice as long when it is done twice.
    public let leastHedgeDelay: Duration

    /// Makes a method.
    ///
    /// - Parameters:
    ///   - name: What the message's `type` says.
    ///   - queue: The queue that its requests go to.
    ///   - isIdempotent: Whether doing it twice is the same as doing it once.
    ///   - leastHedgeDelay: How long its answer may take at the least. By default two ticks of the client: what is late by less
    ///     does not matter to a viewer.
    public init(
        _ name: String, queue: String, isIdempotent: Bool, leastHedgeDelay: Duration = .milliseconds(50)
    ) {
        self.name = name
        self.queue = queue
        self.isIdempotent = isIdempotent
        self.leastHedgeDelay = leastHedgeDelay
    }

    /// Whether a service of this name offers it: its name begins with the service's.
    func isOffered(by service: String) -> Bool {
        name.utf8.starts(with: service.utf8) && name.utf8.dropFirst(service.utf8.count).first == UInt8(ascii: ".")
    }
}
