public import AMQP
internal import Domain
public import Logging
internal import Metrics
internal import NIOCore
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// The only file of this target that knows AMQP: how requests and replies are written as messages.

/// The names of the headers that Millrace's own protocol uses, beside AMQP's properties.
private enum Header {
    static let attempt = "attempt"
    static let status = "status"
    static let ok = "ok"
}

/// How the exchanges and queues of the protocol are called.
public enum RPCTopology {
    /// Requests of every service; the routing key is the queue.
    public static let requestExchange = "millrace.rpc"

    /// Replies of one service; the routing key is the reply queue. Only that service may publish there, so that no
    /// other can speak for it.
    public static func replyExchange(of service: String) -> String { "millrace.\(service).reply" }
}

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

extension RPCServer {
    /// Makes a server that takes requests from a broker.
    ///
    /// - Parameters:
    ///   - amqp: The connections to the broker.
    ///   - service: Who answers; part of the reply exchange's name.
    ///   - router: Which handler does which method.
    ///   - queues: Where the requests come from.
    ///   - drainSeconds: How long the requests under way may take when the server is shut down.
    ///   - logger: Where malformed requests and defects are told.
    public convenience init(
        over amqp: AMQPClient, service: String, router: RPCRouter, queues: [ServedQueue], drainSeconds: Int = 10,
        logger: Logger
    ) {
        self.init(
            transport: AMQPServerTransport(amqp: amqp, service: service, logger: logger), router: router,
            queues: queues, drainSeconds: drainSeconds, logger: logger)
    }
}

// MARK: - Caller

private final class AMQPClientTransport: ClientTransport {
    /// More replies than this are dropped by the broker, the oldest first: whoever waited for them asks again.
    private static let maxReplies: Int64 = 16_384

    private let amqp: AMQPClient
    private let name: String
    private let services: [String]
    private let logger: Logger
    private let replyQueue = Mutex<String?>(nil)
    private let onEvent = Mutex<(@Sendable (ClientTransportEvent) -> Void)?>(nil)

    init(amqp: AMQPClient, name: String, services: [String], logger: Logger) {
        self.amqp = amqp
        self.name = name
        self.services = services
        self.logger = logger
    }

    func start(_ onEvent: @escaping @Sendable (ClientTransportEvent) -> Void) {
        self.onEvent.withLock { $0 = onEvent }
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
                }))
    }

    func send(_ request: OutgoingRequest) {
        guard let onEvent = onEvent.withLock({ $0 }) else { return }
        let correlation = request.correlation
        guard let replyTo = replyQueue.withLock({ $0 }) else {
            return onEvent(.undelivered(correlation: correlation, .notSent))
        }
        var headers = FieldTable(request.payload.fields)
        headers[Header.attempt] = .int(Int64(request.attempt))
        let message = Message(
            properties: MessageProperties(
                type: request.method.name, contentType: request.payload.contentType,
                correlationID: String(correlation), messageID: "\(replyTo)/\(request.callID)", replyTo: replyTo,
                expirationMilliseconds: max(1, request.deadline.remaining().wholeMilliseconds), appID: name,
                headers: headers),
            body: request.payload.body)
        do throws(AMQPError) {
            try amqp.publishConfirmed(
                message, exchange: RPCTopology.requestExchange, routingKey: request.method.queue
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
            Counter(label: "rpc_client_malformed_replies_total").increment()
            logger.warning("A reply without correlation id or status is ignored")
            return
        }
        onEvent(.reply(correlation: correlation, delivery.message.result(status: status)))
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

// MARK: - Worker

private final class AMQPServerTransport: ServerTransport {
    /// What a request without an expiration gets: nobody can say when its caller stops waiting.
    private static let defaultSeconds = 30
    /// While replies cannot be written, a request that is given back comes again at once: without a pause it would go
    /// round and round.
    private static let pauseBeforeGivingBack = Duration.milliseconds(500)

    private let amqp: AMQPClient
    private let service: String
    private let logger: Logger
    private let consumers = Mutex<[Consumer.ID]>([])
    private let activeCount = Atomic<Int>(0)

    init(amqp: AMQPClient, service: String, logger: Logger) {
        self.amqp = amqp
        self.service = service
        self.logger = logger
    }

    var isServing: Bool {
        let wanted = consumers.withLock { $0.count }
        return wanted > 0 && activeCount.load(ordering: .relaxed) == wanted
    }

    func start(_ queues: [ServedQueue], onRequest: @escaping @Sendable (IncomingRequest) -> Void) {
        for queue in queues {
            let name = QueueName.fixed(queue.name)
            let consumer = Consumer(
                declarations: [
                    .exchange(name: RPCTopology.requestExchange, kind: .direct),
                    .exchange(name: RPCTopology.replyExchange(of: service), kind: .direct),
                    .queue(Queue(name: name, lifetime: .durable, arguments: queue.arguments)),
                    .binding(queue: name, exchange: RPCTopology.requestExchange, routingKey: .queueName),
                ],
                queue: name, prefetchCount: UInt16(clamping: queue.maxConcurrentRequests),
                onDelivery: { self.received($0, onRequest) },
                onActive: { _ in self.activeCount.add(1, ordering: .relaxed) },
                onInactive: { _ in self.activeCount.subtract(1, ordering: .relaxed) })
            let id = amqp.addConsumer(consumer)
            consumers.withLock { $0.append(id) }
        }
    }

    func stop() async {
        let ids = consumers.withLock { ids in
            defer { ids = [] }
            return ids
        }
        for id in ids { await amqp.cancelConsumer(id) }
    }

    func reply(to request: IncomingRequest, _ result: Result<RPCPayload, ServiceError>) {
        guard let token = request.receipt as? DeliveryToken else { return }
        var message = Message(result: result)
        message.properties.type = request.method
        message.properties.correlationID = request.correlation
        message.properties.appID = service
        message.properties.expirationMilliseconds = max(1, request.deadline.remaining().wholeMilliseconds)
        do throws(AMQPError) {
            try amqp.publish(
                message, exchange: RPCTopology.replyExchange(of: service), routingKey: request.replyTo,
                isMandatory: true
            ) { outcome in
                if case .failed = outcome {
                    self.amqp.reject(token, requeue: true, after: Self.pauseBeforeGivingBack)
                } else {
                    self.amqp.acknowledge(token)
                }
            }
        } catch {
            logger.warning("A reply cannot be sent, so its request is given back: \(error.message)")
            amqp.reject(token, requeue: true, after: Self.pauseBeforeGivingBack)
        }
    }

    func drop(_ request: IncomingRequest) {
        guard let token = request.receipt as? DeliveryToken else { return }
        amqp.acknowledge(token)
    }

    func giveBack(_ request: IncomingRequest) {
        guard let token = request.receipt as? DeliveryToken else { return }
        amqp.reject(token, requeue: true)
    }

    private func received(_ delivery: Delivery, _ onRequest: @Sendable (IncomingRequest) -> Void) {
        let properties = delivery.message.properties
        guard let method = properties.type, let replyTo = properties.replyTo, !replyTo.isEmpty,
            let correlation = properties.correlationID, !correlation.isEmpty
        else {
            Counter(label: "rpc_server_malformed_requests_total").increment()
            logger.warning(
                "A message without type, reply-to or correlation id is refused",
                metadata: ["routing_key": "\(delivery.routingKey)", "app_id": "\(properties.appID ?? "")"])
            return amqp.reject(delivery.token, requeue: false)
        }
        let left = properties.expirationMilliseconds.map { Duration.milliseconds(max(0, $0)) }
        onRequest(
            IncomingRequest(
                method: method, payload: delivery.message.payload,
                deadline: .after(left ?? .seconds(Self.defaultSeconds)), callID: properties.messageID ?? correlation,
                attempt: Int(clamping: properties.headers.int(Header.attempt) ?? 1),
                isRedelivered: delivery.isRedelivered, replyTo: replyTo, correlation: correlation,
                receipt: delivery.token))
    }
}

extension ServedQueue {
    /// The same arguments for every worker of a service: the broker refuses a declaration that differs.
    fileprivate var arguments: FieldTable {
        [
            "x-max-length": .int(Int64(maxWaitingRequests)),
            "x-overflow": .string("reject-publish"),
            "x-expires": .int(Int64(lifetimeWithoutWorkerSeconds) * 1_000),
        ]
    }
}

// MARK: - Messages

extension FieldTable {
    fileprivate init(_ fields: [String: RPCValue]) {
        self.init(
            fields.map { name, value in
                switch value {
                case .text(let text): Entry(name, .string(text))
                case .number(let number): Entry(name, .int(number))
                }
            })
    }

    fileprivate var fields: [String: RPCValue] {
        var fields: [String: RPCValue] = [:]
        for entry in entries {
            switch entry.value {
            case .string(let text): fields[entry.name] = .text(text)
            case .int(let number): fields[entry.name] = .number(number)
            default: break
            }
        }
        return fields
    }
}

/// How an error is written as the body of a reply. The cause and the place stay in the worker's log.
private struct ErrorBody: Codable {
    let code: String
    let message: String
}

extension Message {
    fileprivate var payload: RPCPayload {
        RPCPayload(
            contentType: properties.contentType ?? RPCPayload.bytes, fields: properties.headers.fields, body: body)
    }

    fileprivate init(result: Result<RPCPayload, ServiceError>) {
        switch result {
        case .success(let payload):
            var headers = FieldTable(payload.fields)
            headers[Header.status] = .string(Header.ok)
            self.init(
                properties: MessageProperties(contentType: payload.contentType, headers: headers), body: payload.body)
        case .failure(let error):
            let body = try? JSONEncoder().encode(ErrorBody(code: error.code.rawValue, message: error.message))
            self.init(
                properties: MessageProperties(
                    contentType: RPCPayload.json, headers: [Header.status: .string(error.code.rawValue)]),
                body: ByteBuffer(bytes: body ?? Data()))
        }
    }

    fileprivate func result(status: String) -> Result<RPCPayload, ServiceError> {
        guard status != Header.ok else { return .success(payload) }
        let words = try? JSONDecoder().decode(ErrorBody.self, from: Data(body.readableBytesView)).message
        return .failure(
            ServiceError(ServiceError.Code(rawValue: status) ?? .internal, words ?? "The worker gave no reason."))
    }
}
