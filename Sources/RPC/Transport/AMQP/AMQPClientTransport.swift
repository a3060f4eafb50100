public import AMQP
internal import Domain
public import Logging
internal import Metrics
internal import Synchronization

extension RPCClient {
    /// Makes a client that calls services through a broker.
    ///
    /// - Parameters:
    ///   - amqp: The connections to the broker.
    ///   - name: Who calls; part of the reply queue's name.
    ///   - services: Whose replies are received.
    ///   - logger: Where malformed replies are told.
    public convenience init(over amqp: AMQPClient, name: String, services: [String], logger: Logger) {
        self.init(
            transport: AMQPClientTransport(amqp: amqp, name: name, services: services, logger: logger), logger: logger)
    }
}

private final class AMQPClientTransport: ClientTransport {
    /// More replies than this are dropped by the broker, the oldest first: whoever waited for them asks again.
    private static let maxReplies: Int64 = 16_384

    private let amqp: AMQPClient
    private let name: String
    private let services: [String]
    /// By exchange: the services that whoever may publish there cannot speak for.
    private let strangers: [String: [String]]
    private let logger: Logger
    private let replyQueue = Mutex<String?>(nil)
    private let listener = Mutex<Listener?>(nil)

    /// A closure that itself lies in a `Mutex` is wrapped anew each time it is read, and calls itself through all the
    /// wrappers: after some ten thousand requests that overflows the stack. Inside a structure it stays as it is.
    private struct Listener {
        let onEvent: @Sendable (ClientTransportEvent) -> Void
    }

    init(amqp: AMQPClient, name: String, services: [String], logger: Logger) {
        self.amqp = amqp
        self.name = name
        self.services = services
        strangers = Dictionary(
            uniqueKeysWithValues: services.map { service in
                (RPCTopology.replyExchange(of: service), services.filter { $0 != service })
            })
        self.logger = logger
    }

    func start(_ onEvent: @escaping @Sendable (ClientTransportEvent) -> Void) {
        listener.withLock { $0 = Listener(onEvent: onEvent) }
        let queue = QueueName.generated(prefix: "millrace.reply.\(name)")
        var declarations: [Declaration] = [
            .queue(Queue(name: queue, lifetime: .exclusive, arguments: ["x-max-length": .int(Self.maxReplies)]))
        ]
        for service in services {
            let exchange = RPCTopology.replyExchange(of: service)
            declarations.append(.exchange(name: exchange, kind: .direct))
            declarations.append(.binding(queue: queue, exchange: exchange, routingKey: .queueName))
        }
        amqp.addConsumer(
            Consumer(
                declarations: declarations, queue: queue, prefetchCount: 0, acknowledgement: .automatic,
                onDelivery: { self.received($0, onEvent) },
                onActive: { queue in
                    self.replyQueue.withLock { $0 = queue }
                    onEvent(.ready)
                },
                onInactive: { _ in
                    self.replyQueue.withLock { $0 = nil }
                    onEvent(.lost)
                },
                onRefused: { _ in onEvent(.refused) }))
    }

    var executor: (any TaskExecutor)? { amqp.executor }

    func send(_ request: OutgoingRequest) {
        guard let onEvent = listener.withLock({ $0 })?.onEvent else { return }
        let correlation = request.correlation
        guard let replyTo = replyQueue.withLock({ $0 }) else {
            return onEvent(.undelivered(correlation: correlation, .notSent))
        }
        var headers = FieldTable(request.payload.fields)
        headers[Header.attempt] = .int(Int64(request.attempt))
        let message = Message(
            properties: MessageProperties(
                type: request.method.name, contentType: request.payload.contentType,
                correlationID: String(correlation), messageID: replyTo + "/" + request.callID, replyTo: replyTo,
                expirationMilliseconds: max(1, request.deadline.remaining().wholeMilliseconds), appID: name,
                headers: headers),
            body: request.payload.body)
        do throws(AMQPError) {
            try amqp.publishConfirmed(
                message, exchange: RPCTopology.requestExchange(of: request.method.queue),
                routingKey: request.method.queue
            ) { outcome in
                if let reason = Undelivered(outcome) {
                    onEvent(.undelivered(correlation: correlation, reason))
                }
            }
        } catch {
            // What `publishConfirmed` throws at once has not been sent.
            let reason = Undelivered(error)
            onEvent(.undelivered(correlation: correlation, reason == .connectionLost ? .notSent : reason))
        }
    }

    func workerCount(of queue: String) async -> Int? {
        do throws(AMQPError) {
            return try await amqp.inspectQueue(queue)?.consumers ?? 0
        } catch {
            return nil
        }
    }

    private func received(_ delivery: Delivery, _ onEvent: @Sendable (ClientTransportEvent) -> Void) {
        let properties = delivery.message.properties
        guard let correlation = properties.correlationID.flatMap({ UInt64($0) }),
            let status = properties.headers.string(Header.status)
        else {
            Counter(label: "millrace_rpc_client_malformed_replies_total").increment()
            logger.warning("A reply without correlation id or status is ignored")
            return
        }
        onEvent(
            .reply(
                correlation: correlation, delivery.message.result(status: status),
                notFor: strangers[delivery.exchange] ?? services))
    }
}

extension Undelivered {
    fileprivate init?(_ outcome: PublishOutcome) {
        switch outcome {
        case .accepted: return nil
        case .rejected: self = .queueFull
        case .unroutable: self = .noQueue
        case .failed(let error): self.init(error)
        }
    }

    fileprivate init(_ error: AMQPError) {
        switch error.kind {
        case .blocked, .mailboxFull: self = .blocked
        case .channelClosed(404): self = .noQueue
        case .queueUnavailable: self = .notSent
        case .channelClosed, .invalidConfiguration: self = .refused(error.message)
        case .unreachable, .untrusted, .refused, .connectionLost, .closed, .protocolViolation: self = .connectionLost
        }
    }
}
