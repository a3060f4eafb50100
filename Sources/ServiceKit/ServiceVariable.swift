/// A setting as `--help` tells it.
public struct ServiceVariable: Sendable {
    /// The name of the environment variable, or several that belong together.
    public let names: String
    /// What it is for.
    public let meaning: String
    /// What counts when it is missing; `nil` when it has to be there.
    public let fallback: String?

    /// Describes a setting.
    public init(_ names: String, _ meaning: String, default fallback: String?) {
        self.names = names
        self.meaning = meaning
        self.fallback = fallback
    }

    /// What every service has, in the order in which it is told.
    static let common = [
        ServiceVariable("HOST", "the address to listen at", default: "0.0.0.0"),
        ServiceVariable(
            "RABBIT, RABBIT_FILE",
            "the broker's address, such as amqp://user:password@host:5672/vhost, or a file with it",
            default: nil),
        ServiceVariable("RABBIT_CA_FILE", "PEM file of the certificates to trust with amqps://", default: "none"),
        ServiceVariable("LOG_LEVEL", "trace, debug, info, notice, warning, error or critical", default: "info"),
        ServiceVariable("LOG_FORMAT", "text, or json for one JSON object a line", default: "text"),
        ServiceVariable(
            "DRAIN_SECONDS", "for how long after SIGTERM new requests are still taken, while /readyz says draining",
            default: "\(StopTimes.drainSeconds)"),
        ServiceVariable(
            "STOP_SECONDS", "how long what is under way may then take before it is cut",
            default: "\(StopTimes.stopSeconds)"),
    ]

    /// What every service with a database has.
    public static let database = [
        ServiceVariable("DBHOST, DBHOST_FILE", "MongoDB's connection string, or a file with it", default: nil),
        ServiceVariable("DBNAME", "the database that this service alone uses", default: nil),
        ServiceVariable(
            "START_SECONDS", "how long a start waits for the database", default: "\(Startup.maxWaitSeconds)"),
    ]

    /// What `--help` prints.
    ///
    /// - Parameters:
    ///   - name: The program.
    ///   - variables: Its settings.
    /// - Returns: Lines for a terminal.
    static func help(_ name: String, _ variables: [ServiceVariable]) -> String {
        var text = """
            usage: \(name) [--help | --healthcheck]

            Runs until SIGTERM or SIGINT. With --healthcheck it asks the process that runs with the same settings whether it is
            ready, prints a line and ends with 0 (ready) or 1.

            Settings are environment variables:

            """
        for variable in variables {
            text += "\n  \(variable.names)\n      \(variable.meaning)"
            text += variable.fallback.map { " (default: \($0))\n" } ?? " (has to be given)\n"
        }
        return text
    }
}
