internal import CRabbitMQ

/// A method that the broker answers.
enum ChannelRequest: Equatable {
    case openChannel
    case closeChannel
    case selectConfirms
    case declareExchange(String, ExchangeKind)
    /// Looks at an exchange without making it. When there is none, the broker closes the channel with 404.
    case inspectExchange(String)
    case declareQueue(String, Queue.Lifetime, FieldTable)
    /// Looks at a queue without making it. When there is none, the broker closes the channel with 404.
    case inspectQueue(String)
    case bindQueue(String, exchange: String, routingKey: String)
    case setPrefetch(UInt16)
    case consume(String, isAutomatic: Bool)
    case cancel(consumerTag: String)
    /// On channel 0.
    case closeConnection

    /// What it is for, as the end of a sentence.
    var purpose: String {
        switch self {
        case .openChannel: "open a channel"
        case .closeChannel: "close a channel"
        case .selectConfirms: "ask for publisher confirms"
        case .declareExchange(let name, _): "declare the exchange \(name)"
        case .inspectExchange(let name): "look at the exchange \(name)"
        case .declareQueue(let name, _, _): "declare the queue \(name)"
        case .inspectQueue(let name): "look at the queue \(name)"
        case .bindQueue(let queue, let exchange, _): "bind the queue \(queue) to the exchange \(exchange)"
        case .setPrefetch: "set the prefetch"
        case .consume(let queue, _): "consume from the queue \(queue)"
        case .cancel: "cancel a consumer"
        case .closeConnection: "close the connection"
        }
    }

    /// The number of the method.
    var method: amqp_method_number_t {
        switch self {
        case .openChannel: amqp_method_number_t(AMQP_CHANNEL_OPEN_METHOD)
        case .closeChannel: amqp_method_number_t(AMQP_CHANNEL_CLOSE_METHOD)
        case .selectConfirms: amqp_method_number_t(AMQP_CONFIRM_SELECT_METHOD)
        case .declareExchange, .inspectExchange: amqp_method_number_t(AMQP_EXCHANGE_DECLARE_METHOD)
        case .declareQueue, .inspectQueue: amqp_method_number_t(AMQP_QUEUE_DECLARE_METHOD)
        case .bindQueue: amqp_method_number_t(AMQP_QUEUE_BIND_METHOD)
        case .setPrefetch: amqp_method_number_t(AMQP_BASIC_QOS_METHOD)
        case .consume: amqp_method_number_t(AMQP_BASIC_CONSUME_METHOD)
        case .cancel: amqp_method_number_t(AMQP_BASIC_CANCEL_METHOD)
        case .closeConnection: amqp_method_number_t(AMQP_CONNECTION_CLOSE_METHOD)
        }
    }

    /// Whether this is what the broker answers to it.
    func isAnswered(by answer: ChannelAnswer) -> Bool {
        switch (self, answer) {
        case (.openChannel, .channelOpened), (.closeChannel, .channelClosed), (.selectConfirms, .confirmsSelected),
            (.declareExchange, .exchangeDeclared), (.inspectExchange, .exchangeDeclared),
            (.declareQueue, .queueDeclared), (.inspectQueue, .queueDeclared), (.bindQueue, .queueBound),
            (.setPrefetch, .prefetchSet), (.consume, .consuming), (.cancel, .cancelled),
            (.closeConnection, .connectionClosed):
            true
        default: false
        }
    }
}

/// The broker's answer to a ``ChannelRequest``. Its refusal is no answer: it closes the channel.
enum ChannelAnswer: Equatable {
    case channelOpened
    case channelClosed
    case confirmsSelected
    case exchangeDeclared
    case queueDeclared(QueueStatus)
    case queueBound
    case prefetchSet
    case consuming(consumerTag: String)
    case cancelled
    case connectionClosed

    /// The answer that a method is; `nil` for any other method.
    init?(_ method: amqp_method_t) {
        guard let decoded = method.decoded else { return nil }
        switch Int32(bitPattern: method.id) {
        case Int32(AMQP_CHANNEL_OPEN_OK_METHOD): self = .channelOpened
        case Int32(AMQP_CHANNEL_CLOSE_OK_METHOD): self = .channelClosed
        case Int32(AMQP_CONFIRM_SELECT_OK_METHOD): self = .confirmsSelected
        case Int32(AMQP_EXCHANGE_DECLARE_OK_METHOD): self = .exchangeDeclared
        case Int32(AMQP_QUEUE_DECLARE_OK_METHOD):
            let queue = decoded.assumingMemoryBound(to: amqp_queue_declare_ok_t.self).pointee
            self = .queueDeclared(
                QueueStatus(readyMessages: Int(queue.message_count), consumers: Int(queue.consumer_count)))
        case Int32(AMQP_QUEUE_BIND_OK_METHOD): self = .queueBound
        case Int32(AMQP_BASIC_QOS_OK_METHOD): self = .prefetchSet
        case Int32(AMQP_BASIC_CONSUME_OK_METHOD):
            let consume = decoded.assumingMemoryBound(to: amqp_basic_consume_ok_t.self).pointee
            self = .consuming(consumerTag: WireDecoder.string(consume.consumer_tag))
        case Int32(AMQP_BASIC_CANCEL_OK_METHOD): self = .cancelled
        case Int32(AMQP_CONNECTION_CLOSE_OK_METHOD): self = .connectionClosed
        default: return nil
        }
    }
}
