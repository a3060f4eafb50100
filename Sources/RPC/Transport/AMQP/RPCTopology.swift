// This folder alone knows AMQP: how requests and replies are written as messages.

/// The names of the headers that Millrace's own protocol uses, beside AMQP's properties.
enum Header {
    static let attempt = "attempt"
    /// How many workers were lost with this request.
    static let losses = "losses"
    static let status = "status"
    static let ok = "ok"

    /// Whether a header belongs to the protocol or to the broker (`x-…`), and not to what is carried.
    static func isOfProtocol(_ name: String) -> Bool {
        name == attempt || name == losses || name == status || name.hasPrefix("x-")
    }
}

/// How the exchanges and queues of the protocol are called.
public enum RPCTopology {
    /// Requests of every service; the routing key is the queue.
    public static let requestExchange = "millrace.rpc"

    /// Replies of one service; the routing key is the reply queue. Only that service may publish there, so that no
    /// other can speak for it.
    public static func replyExchange(of service: String) -> String { "millrace.\(service).reply" }
}
