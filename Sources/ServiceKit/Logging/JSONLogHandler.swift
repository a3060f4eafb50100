internal import Logging

/// Writes each line of the log as a JSON object: `time` (RFC 3339, UTC, milliseconds), `level`, `message`, `service`, and the
/// metadata as further members. Metadata that has one of these names gets an underscore before it.
///
/// A line is written by one system call, so lines of several threads do not mix.
struct JSONLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level = .info

    private static let ownNames: Set<String> = ["time", "level", "message", "service", "logger"]

    private let service: String
    private let label: String
    private let write: @Sendable (String) -> Void

    init(
        service: String, label: String, metadataProvider: Logger.MetadataProvider?,
        write: @escaping @Sendable (String) -> Void = StandardError.write
    ) {
        self.service = service
        self.label = label
        self.metadataProvider = metadataProvider
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provider = metadataProvider { all.merge(provider.get()) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = .string("\(error)") }
        write(line(event.level, event.message.description, all, Timestamp.now()))
    }

    func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata, _ time: String) -> String {
        var json = JSONText()
        json.raw("{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"message\":")
        json.string(message)
        json.raw(",\"service\":")
        json.string(service)
        if label != service {
            json.raw(",\"logger\":")
            json.string(label)
        }
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
            json.raw(",")
            json.string(Self.ownNames.contains(name) ? "_\(name)" : name)
            json.raw(":")
            json.value(value)
        }
        json.raw("}\n")
        return json.text
    }
}

/// Puts JSON together.
private struct JSONText {
    private(set) var text = ""

    mutating func raw(_ piece: String) { text += piece }

    mutating func value(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): string(text)
        case .stringConvertible(let value): string(value.description)
        case .array(let values):
            raw("[")
            for (index, value) in values.enumerated() {
                if index > 0 { raw(",") }
                self.value(value)
            }
            raw("]")
        case .dictionary(let members):
            raw("{")
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { raw(",") }
                string(member.key)
                raw(":")
                self.value(member.value)
            }
            raw("}")
        }
    }

    mutating func string(_ string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
