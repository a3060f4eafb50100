public import AMQP
public import Domain
internal import Metrics

/// Tells events to whoever listens.
///
/// Made for an outbox (``OutboxPublisher``): an event is kept with the fact it tells, published until
/// ``publish(_:needsListener:deadline:)`` has returned, and only then taken out. So no event is lost, and some come twice.
public struct EventPublisher: EventPublishing {
    private let amqp: AMQPClient
    private let service: String

    /// What the connection that publishes has to declare (``AMQPConfiguration/declarations``).
    public static let declarations: [Declaration] = [.exchange(name: EventTopology.exchange, kind: .topic)]

    /// Makes a publisher.
    ///
    /// - Parameters:
    ///   - amqp: The connections to the broker.
    ///   - service: Who tells; the message's `app-id`.
    public init(over amqp: AMQPClient, service: String) {
        self.amqp = amqp
        self.service = service
    }

    /// See ``EventPublishing``.
    public func publish(_ event: Event, needsListener: Bool, deadline: Deadline) async throws(ServiceError) {
        let (outcomes, outcome) = AsyncStream.makeStream(of: PublishOutcome.self, bufferingPolicy: .bufferingOldest(1))
        let message = Message(
            properties: MessageProperties(
                type: event.name, contentType: event.payload.contentType, messageID: event.id, appID: service,
                isPersistent: true, headers: FieldTable(event.payload.fields)),
            body: event.payload.body)
        do throws(AMQPError) {
            try amqp.publishConfirmed(message, exchange: EventTopology.exchange, routingKey: event.name) {
                outcome.yield($0)
                outcome.finish()
            }
        } catch {
            throw ServiceError(error, publishing: event.name)
        }
        let end = await first(of: outcomes, until: deadline)
        Counter(label: "millrace_events_published_total", dimensions: [("event", event.name)]).increment()
        switch end {
        case .accepted: return
        case .unroutable where !needsListener: return
        case .unroutable:
            throw ServiceError(.unavailable, "No queue wants \(event.name): start the service that listens to it.")
        case .rejected:
            throw ServiceError(.overloaded, "A queue is full and takes no \(event.name). Try again later.")
        case .failed(let error): throw ServiceError(error, publishing: event.name)
        case nil: throw ServiceError(.deadlineExceeded, "The broker did not confirm \(event.name) in time.")
        }
    }

    private func first(of outcomes: AsyncStream<PublishOutcome>, until deadline: Deadline) async -> PublishOutcome? {
        await withTaskGroup(of: PublishOutcome?.self) { group in
            group.addTask {
                for await outcome in outcomes { return outcome }
                return nil
            }
            group.addTask {
                try? await Task.sleep(until: deadline.instant, clock: .continuous)
                return nil
            }
            let outcome = await group.next() ?? nil
            group.cancelAll()
            return outcome
        }
    }
}

extension ServiceError {
    fileprivate init(_ error: AMQPError, publishing name: String) {
        let code: Code =
            switch error.kind {
            case .blocked, .mailboxFull: .overloaded
            case .queueUnavailable, .unreachable, .untrusted, .refused, .connectionLost, .closed, .protocolViolation:
                .unavailable
            case .channelClosed, .invalidConfiguration: .internal
            }
        self.init(code, "\(name) was not published: \(error.message)")
    }
}
