/// What went wrong between this process and the broker.
public struct AMQPError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Kind: Sendable, Hashable {
        /// The address, or another part of the configuration, cannot be used.
        case invalidConfiguration
        /// No broker answers at the address; the connection is tried again by itself.
        case unreachable
        /// The broker refuses this user, password or virtual host.
        case refused
        /// What answers cannot prove that it is the broker: nobody that is trusted vouches for its certificate, or the
        /// certificate names another host. No password was sent.
        case untrusted
        /// The connection broke while the work was under way, or another message made the broker close the channel; whether
        /// the broker did it is not known.
        case connectionLost
        /// The broker closed the channel, with AMQP's reply code (404 not found, 403 access refused, 406 precondition
        /// failed, ...).
        case channelClosed(code: UInt16)
        /// The broker has not taken the message: no node speaks for its queue, since one has just died. Publishing it
        /// again is safe, and succeeds as soon as the others have agreed.
        case queueUnavailable
        /// The broker accepts no publishes now: a memory or disk alarm (`connection.blocked`).
        case blocked
        /// The mailbox of the connection is full: work arrives faster than it can be written.
        case mailboxFull
        /// The client has been shut down.
        case closed
        /// The other side sent what AMQP does not allow.
        case protocolViolation
    }

    /// The kind of failure.
    public let kind: Kind
    /// What is wrong and how to mend it, for humans; holds no password.
    public let message: String
    /// Where it was raised, as `file:line`.
    public let location: String

    /// Makes an error that remembers where it was made.
    public init(_ kind: Kind, _ message: String, file: StaticString = #fileID, line: UInt = #line) {
        self.kind = kind
        self.message = message
        self.location = "\(file):\(line)"
    }

    /// Everything, for the log.
    public var description: String { "\(message) (\(kind), at \(location))" }

    /// One error for the failures at the hosts of an address. What is the same everywhere is told once.
    ///
    /// - Parameter failures: One for each host that was tried; none when there was no time left to try any.
    init(joining failures: [AMQPError]) {
        guard let first = failures.first else {
            self.init(.closed, "The AMQP client has been shut down.")
            return
        }
        let messages = failures.reduce(into: [String]()) { messages, failure in
            if !messages.contains(failure.message) { messages.append(failure.message) }
        }
        let isOneKind = failures.allSatisfy { $0.kind == first.kind }
        self.init(isOneKind ? first.kind : .unreachable, messages.joined(separator: " "))
    }
}
