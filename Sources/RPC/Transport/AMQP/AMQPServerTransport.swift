public import AMQP
internal import Domain
public import Logging
internal import Metrics
internal import Synchronization

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

private final class AMQPServerTransport: ServerTransport {
    /// What a request without an expiration gets: nobody can say when its caller stops waiting.
    private static let defaultSeconds = 30
    /// While replies cannot be written, a request that is given back comes again at once: without a pause it would go
    /// round and round.
    private static let pauseBeforeGivingBack = Duration.milliseconds(500)
    /// A request that was lost with so many workers is answered with an error: it may be what they die of. More than one,
    /// since a worker that is stopped in good order gives back what it has not begun, and the broker marks that the same.
    private static let maxLosses: Int64 = 3

    private let amqp: AMQPClient
    private let service: String
    private let replyExchange: String
    private let logger: Logger
    private let consumers = Mutex<[Consumer.ID]>([])
    private let activeCount = Atomic<Int>(0)

    init(amqp: AMQPClient, service: String, logger: Logger) {
        self.amqp = amqp
        self.service = service
        replyExchange = RPCTopology.replyExchange(of: service)
        self.logger = logger
    }

    var executor: (any TaskExecutor)? { amqp.executor }

    var isServing: Bool {
        let wanted = consumers.withLock { $0.count }
        return wanted > 0 && activeCount.load(ordering: .relaxed) == wanted
    }

    func start(_ queues: [ServedQueue], onRequest: @escaping @Sendable (IncomingRequest) -> Void) {
        for queue in queues {
            let name = QueueName.fixed(queue.name)
            let consumer = Consumer(
                declarations: [
                    .exchange(name: RPCTopology.requestExchange(of: queue.name), kind: .direct),
                    .exchange(name: replyExchange, kind: .direct),
                    .queue(Queue(name: name, lifetime: .durable, arguments: queue.arguments)),
                    .binding(
                        queue: name, exchange: RPCTopology.requestExchange(of: queue.name), routingKey: .queueName),
                ] + (queue.keepsDeadRequests ? DeadRequests.declarations(of: queue.name) : []),
                queue: name, prefetchCount: UInt16(clamping: queue.maxConcurrentRequests),
                onDelivery: { self.received($0, from: queue, onRequest) },
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
                message, exchange: replyExchange, routingKey: request.replyTo,
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

    private func received(
        _ delivery: Delivery, from queue: ServedQueue, _ onRequest: @Sendable (IncomingRequest) -> Void
    ) {
        let properties = delivery.message.properties
        guard let method = properties.type, let replyTo = properties.replyTo, !replyTo.isEmpty,
            let correlation = properties.correlationID, !correlation.isEmpty
        else {
            Counter(label: "millrace_rpc_server_malformed_requests_total").increment()
            logger.warning(
                "A message without type, reply-to or correlation id is refused",
                metadata: ["routing_key": "\(delivery.routingKey)", "app_id": "\(properties.appID ?? "")"])
            return amqp.reject(delivery.token, requeue: false)
        }
        let left = properties.expirationMilliseconds.map { Duration.milliseconds(max(0, $0)) }
        let losses = max(0, properties.headers.int(Header.losses) ?? 0)
        let request = IncomingRequest(
            method: method, payload: delivery.message.payload,
            deadline: .after(left ?? .seconds(Self.defaultSeconds)), callID: properties.messageID ?? correlation,
            attempt: Int(clamping: properties.headers.int(Header.attempt) ?? 1),
            isRedelivered: losses > 0, replyTo: replyTo, correlation: correlation, receipt: delivery.token)
        guard delivery.isRedelivered else { return onRequest(request) }
        if losses + 1 < Self.maxLosses {
            putBack(delivery, losses: losses + 1)
        } else if queue.keepsDeadRequests {
            putAside(delivery, request, from: queue)
        } else {
            giveUp(request)
        }
    }

    /// Puts a request that was lost with a worker into its queue again, with the count of its losses: a classic queue tells
    /// that a message comes again, not how often (RabbitMQ, "Consumers", redelivered flag).
    private func putBack(_ delivery: Delivery, losses: Int64) {
        var message = delivery.message
        message.properties.headers[Header.losses] = .int(losses)
        do throws(AMQPError) {
            try amqp.publishConfirmed(message, exchange: delivery.exchange, routingKey: delivery.routingKey) {
                outcome in
                if case .accepted = outcome {
                    self.amqp.acknowledge(delivery.token)
                } else {
                    self.amqp.reject(delivery.token, requeue: true, after: Self.pauseBeforeGivingBack)
                }
            }
        } catch {
            amqp.reject(delivery.token, requeue: true, after: Self.pauseBeforeGivingBack)
        }
    }

    /// Keeps a request that nobody will do, and answers it once the broker has it on disk.
    private func putAside(_ delivery: Delivery, _ request: IncomingRequest, from queue: ServedQueue) {
        var message = delivery.message
        message.properties.isPersistent = true
        // The one that waits for it goes sooner than the one who looks into it comes.
        message.properties.expirationMilliseconds = nil
        do throws(AMQPError) {
            try amqp.publishConfirmed(
                message, exchange: DeadRequests.exchange(of: queue.name),
                routingKey: EventTopology.deadQueue(of: queue.name)
            ) { outcome in
                if case .accepted = outcome {
                    self.giveUp(request)
                } else {
                    self.amqp.reject(delivery.token, requeue: true, after: Self.pauseBeforeGivingBack)
                }
            }
        } catch {
            amqp.reject(delivery.token, requeue: true, after: Self.pauseBeforeGivingBack)
        }
    }

    private func giveUp(_ request: IncomingRequest) {
        Counter(label: "millrace_rpc_server_given_up_requests_total").increment()
        logger.error(
            "A request was lost with several workers and is not tried again",
            metadata: ["method": "\(request.method.prefix(100))", "call": "\(request.callID)"])
        let words =
            "This request was given to \(Self.maxLosses) workers, and none of them answered. It is not tried again."
        reply(to: request, .failure(ServiceError(.internal, words)))
    }
}

/// Where requests are kept that nobody will do: an exchange of the service's own, since it publishes there itself. What could
/// not be handled of events goes through ``EventTopology/deadExchange``, where the broker alone publishes.
enum DeadRequests {
    static func exchange(of queue: String) -> String { EventTopology.deadQueue(of: queue) }

    static func declarations(of queue: String) -> [Declaration] {
        EventTopology.deadLetters(of: queue, through: exchange(of: queue))
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
