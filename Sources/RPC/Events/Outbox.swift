public import Domain
internal import NIOCore

/// Where a service keeps the events that it has yet to tell: each in the record of the fact that it tells, written by the
/// same atomic update. So either both are there or neither is, and a process that dies in between loses nothing.
public protocol Outbox: Sendable {
    /// Events that have not been taken out.
    ///
    /// - Parameters:
    ///   - limit: How many at the most.
    ///   - deadline: When to give up.
    /// - Returns: Fewer than the limit only when these are all.
    /// - Throws: What the database makes of it.
    func pendingEvents(limit: Int, deadline: Deadline) async throws(ServiceError) -> [PendingEvent]

    /// Takes an event out. One that is not there any more is well.
    func remove(_ event: PendingEvent, deadline: Deadline) async throws(ServiceError)
}

/// An event in an outbox.
public struct PendingEvent: Sendable, Equatable {
    /// The event.
    public var event: Event
    /// Names the record that keeps it, in whatever way its outbox does.
    public var holder: String

    /// Makes a pending event.
    public init(_ event: Event, holder: String) {
        self.event = event
        self.holder = holder
    }
}

/// An event as a record keeps it; its payload is JSON.
public struct StoredEvent: Codable, Sendable, Equatable {
    /// ``Event/id``
    public var id: String
    /// ``Event/name``
    public var name: String
    /// The payload's body.
    public var body: String

    /// Takes an event whose payload is JSON without fields of its own.
    public init(_ event: Event) {
        id = event.id
        name = event.name
        body = String(buffer: event.payload.body)
    }

    /// The event to publish.
    public var event: Event {
        Event(
            id: id, name: name, payload: RPCPayload(contentType: RPCPayload.json, body: ByteBuffer(string: body)))
    }
}
