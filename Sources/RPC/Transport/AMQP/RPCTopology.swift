// This folder alone knows AMQP: how requests and replies are written as messages.
public import AMQP

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
    /// Requests to one queue; the routing key is the queue. An exchange of its own, since a broker's permissions know
    /// exchanges but not the keys of a direct one: who may ask one service for something must not hear what others are asked.
    public static func requestExchange(of queue: String) -> String { "\(queue).requests" }

    /// What a caller has to declare, so that a request to a service that has never run fails alone.
    public static func requests(to queues: [String]) -> [Declaration] {
        queues.map { .exchange(name: requestExchange(of: $0), kind: .direct) }
    }

    /// Replies of one service; the routing key is the reply queue. Only that service may publish there, so that no
    /// other can speak for it.
    public static func replyExchange(of service: String) -> String { "millrace.\(service).reply" }
}
