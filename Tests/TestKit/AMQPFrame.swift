/// Frames of AMQP 0-9-1 as bytes, right or wrong, for tests that play a broker.
public enum AMQPFrame {
    /// Class and method of a method frame.
    public struct Method: Sendable, Hashable {
        /// The class in the upper, the method in the lower 16 bits.
        public var id: UInt32

        /// Makes an id of AMQP's two numbers.
        public init(_ classID: UInt16, _ methodID: UInt16) {
            id = UInt32(classID) << 16 | UInt32(methodID)
        }
    }

    /// The number of the class `basic`, which messages belong to.
    public static let basicClass: UInt16 = 60

    /// Any frame; the size and the end are right unless they are given.
    public static func raw(
        type: UInt8, channel: UInt16, _ payload: [UInt8], size: UInt32? = nil, end: UInt8 = 0xCE
    ) -> [UInt8] {
        [type] + bytes(channel) + bytes(size ?? UInt32(payload.count)) + payload + [end]
    }

    /// A method frame.
    public static func method(_ method: Method, channel: UInt16, _ arguments: [UInt8] = []) -> [UInt8] {
        raw(type: 1, channel: channel, bytes(method.id) + arguments)
    }

    /// A header frame; the properties are its flags and what they announce.
    public static func header(
        channel: UInt16, bodyBytes: UInt64, classID: UInt16 = basicClass, properties: [UInt8] = [0, 0]
    ) -> [UInt8] {
        raw(type: 2, channel: channel, bytes(classID) + [0, 0] + bytes(bodyBytes) + properties)
    }

    /// A body frame.
    public static func body(channel: UInt16, _ body: [UInt8]) -> [UInt8] {
        raw(type: 3, channel: channel, body)
    }

    /// The method frame that a delivery begins with.
    public static func deliver(channel: UInt16, tag: UInt64 = 1) -> [UInt8] {
        method(.deliver, channel: channel, short("c") + bytes(tag) + [0] + short("exchange") + short("key"))
    }

    /// The three frames of a whole delivery, with a header that is called `name`.
    public static func delivery(channel: UInt16, tag: UInt64 = 1, _ body: [UInt8]) -> [UInt8] {
        deliver(channel: channel, tag: tag)
            + header(channel: channel, bodyBytes: UInt64(body.count), properties: namedProperties)
            + (body.isEmpty ? [] : self.body(channel: channel, body))
    }

    /// Properties with a correlation id, and a table of one header.
    public static var namedProperties: [UInt8] {
        // Flags: bit 13 says that there are headers, bit 10 that there is a correlation id.
        [0x24, 0x00] + table(short("name") + [UInt8(ascii: "S")] + long(Array("value".utf8))) + short("id")
    }

    /// A table of entries that have been written already.
    public static func table(_ entries: [UInt8]) -> [UInt8] { bytes(UInt32(entries.count)) + entries }

    /// A short text: a byte with its length, then the text.
    public static func short(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }

    /// A long text: four bytes with its length, then the text.
    public static func long(_ text: [UInt8]) -> [UInt8] { bytes(UInt32(text.count)) + text }

    /// A number, its highest byte first.
    public static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}

extension AMQPFrame.Method {
    /// `connection.start`
    public static let start = Self(10, 10)
    /// `connection.start-ok`
    public static let startOk = Self(10, 11)
    /// `connection.tune`
    public static let tune = Self(10, 30)
    /// `connection.tune-ok`
    public static let tuneOk = Self(10, 31)
    /// `connection.open`
    public static let open = Self(10, 40)
    /// `connection.open-ok`
    public static let openOk = Self(10, 41)
    /// `connection.close`
    public static let close = Self(10, 50)
    /// `connection.close-ok`
    public static let closeOk = Self(10, 51)
    /// `channel.open`
    public static let channelOpen = Self(20, 10)
    /// `channel.open-ok`
    public static let channelOpenOk = Self(20, 11)
    /// `channel.close`
    public static let channelClose = Self(20, 40)
    /// `channel.close-ok`
    public static let channelCloseOk = Self(20, 41)
    /// `basic.qos`
    public static let qos = Self(60, 10)
    /// `basic.qos-ok`
    public static let qosOk = Self(60, 11)
    /// `basic.consume`
    public static let consume = Self(60, 20)
    /// `basic.consume-ok`
    public static let consumeOk = Self(60, 21)
    /// `basic.cancel`
    public static let cancel = Self(60, 30)
    /// `basic.cancel-ok`
    public static let cancelOk = Self(60, 31)
    /// `basic.publish`
    public static let publish = Self(60, 40)
    /// `basic.deliver`
    public static let deliver = Self(60, 60)
    /// `basic.ack`
    public static let ack = Self(60, 80)
    /// `confirm.select`
    public static let select = Self(85, 10)
    /// `confirm.select-ok`
    public static let selectOk = Self(85, 11)
}
