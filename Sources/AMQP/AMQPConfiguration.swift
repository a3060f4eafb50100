/// Where the broker is, and the limits of the client. Every default has its reason.
public struct AMQPConfiguration: Sendable {
    /// Where the broker is and who asks.
    public var address: BrokerAddress
    /// What the broker shows this connection as.
    public var connectionName: String
    /// Declared on the publishing connection each time it is made, so that a bare broker needs no set-up.
    public var declarations: [Declaration]
    /// How long to wait for TCP, TLS and login together, in seconds. A broker on a loaded machine takes 1 to 2.
    public var connectSeconds: Int
    /// How often each side shows that it lives. Two missed ones and the connection is given up: a dead peer is noticed
    /// in 20 s, at the cost of 8 bytes each 5 s.
    public var heartbeatSeconds: Int
    /// How long one declaration (or another call that the broker answers) may take, in seconds.
    public var replySeconds: Int
    /// How long a write may be stuck before the connection is broken on purpose, in seconds. librabbitmq has no limit
    /// of its own.
    public var maxWriteSeconds: Int
    /// How many publishes may wait to be written. At 256 KiB each the bytes bound is met first.
    public var maxMailboxCount: Int
    /// How many body bytes may wait to be written.
    public var maxMailboxBytes: Int
    /// The largest body that is received or sent. RabbitMQ itself allows 128 MiB; a chunk is 256 KiB.
    public var maxBodyBytes: Int
    /// How a checksum of each body is taken while it comes (``Message/bodyChecksum``); `nil` for none. Later it would cost more:
    /// the bytes of a large body have left the processor's cache by then.
    public var bodyChecksum: BodyChecksum?
    /// The waits between attempts to connect.
    public var backoff: Backoff

    /// Makes a configuration for one broker, with the defaults.
    public init(address: BrokerAddress, connectionName: String, declarations: [Declaration] = []) {
        self.address = address
        self.connectionName = connectionName
        self.declarations = declarations
        connectSeconds = 10
        heartbeatSeconds = 10
        replySeconds = 10
        maxWriteSeconds = 15
        maxMailboxCount = 16_384
        maxMailboxBytes = 64 * 1_024 * 1_024
        maxBodyBytes = 16 * 1_024 * 1_024
        backoff = Backoff()
    }
}

/// A checksum that can be taken of bytes in parts.
///
/// - Parameters:
///   - bytes: The next bytes.
///   - first: The checksum of those before them; 0 where there are none.
/// - Returns: That of all so far.
public typealias BodyChecksum = @Sendable (_ bytes: UnsafeRawBufferPointer, _ first: UInt32) -> UInt32
