public import NIOCore

/// The properties of a message that Millrace uses, out of AMQP 0-9-1's fourteen.
public struct MessageProperties: Sendable, Equatable {
    /// What the message is: a method with its version, or an event.
    public var type: String?
    /// The media type of the body.
    public var contentType: String?
    /// Ties a reply to its request.
    public var correlationID: String?
    /// The same for every attempt at one piece of work.
    public var messageID: String?
    /// The queue that a reply goes to.
    public var replyTo: String?
    /// After how many milliseconds in a queue the broker may drop the message.
    public var expirationMilliseconds: Int64?
    /// Which program sent it.
    public var appID: String?
    /// Whether a durable queue keeps it on disk over a restart of the broker.
    public var isPersistent: Bool
    /// Everything else.
    public var headers: FieldTable

    /// Makes properties; what is not given is not sent.
    public init(
        type: String? = nil,
        contentType: String? = nil,
        correlationID: String? = nil,
        messageID: String? = nil,
        replyTo: String? = nil,
        expirationMilliseconds: Int64? = nil,
        appID: String? = nil,
        isPersistent: Bool = false,
        headers: FieldTable = [:]
    ) {
        self.type = type
        self.contentType = contentType
        self.correlationID = correlationID
        self.messageID = messageID
        self.replyTo = replyTo
        self.expirationMilliseconds = expirationMilliseconds
        self.appID = appID
        self.isPersistent = isPersistent
        self.headers = headers
    }
}

/// A message: properties and a body.
public struct Message: Sendable, Equatable {
    /// The properties.
    public var properties: MessageProperties
    /// The body, at most ``AMQPConfiguration/maxBodyBytes``.
    public var body: ByteBuffer
    /// The checksum of the body as it came (``AMQPConfiguration/bodyChecksum``). Not sent.
    public var bodyChecksum: UInt32?

    /// Makes a message.
    public init(properties: MessageProperties = MessageProperties(), body: ByteBuffer = ByteBuffer()) {
        self.properties = properties
        self.body = body
    }
}

/// Names one delivery, so that it can be acknowledged. It is worth nothing after the connection it came from is gone:
/// then the broker delivers the message again, and the old token is ignored.
public struct DeliveryToken: Sendable, Hashable {
    let epoch: UInt64
    let channel: UInt16
    let tag: UInt64
}

/// A message that a consumer received.
public struct Delivery: Sendable {
    /// What to acknowledge.
    public let token: DeliveryToken
    /// Whether the broker has delivered it before (to whomever).
    public let isRedelivered: Bool
    /// The exchange that it was published to.
    public let exchange: String
    /// The key that it was published with.
    public let routingKey: String
    /// The message.
    public let message: Message
}

/// A message that was published as mandatory and that no queue took (`basic.return`).
public struct ReturnedMessage: Sendable {
    /// AMQP's reply code; 312 is "no route".
    public let code: UInt16
    /// The broker's words.
    public let text: String
    /// The exchange that it was published to.
    public let exchange: String
    /// The key that it was published with.
    public let routingKey: String
    /// The message as it was sent.
    public let message: Message
}
