import ServiceKit

extension GatewayConfiguration {
    /// Its settings, for `--help`.
    static var variables: [ServiceVariable] {
        let known = GatewayConfiguration()
        return [
            ServiceVariable("PORT", "the port of the gateway's front", default: nil),
            ServiceVariable(
                "METRICS_PORT", "a port for /metrics, /healthz and /readyz over plain HTTP",
                default: "none, and /metrics is at PORT"),
            ServiceVariable(
                "TLS_CERTIFICATE, TLS_KEY", "PEM files; with them the gateway serves HTTPS, HTTP/2 and HTTP/1.1",
                default: "HTTP/1.1 without TLS"),
            ServiceVariable(
                "WRITE_TOKEN, WRITE_TOKEN_FILE", "who knows it may write, or a file with it", default: "nobody may"),
            ServiceVariable(
                "CORS_ORIGIN", "the origin whose pages may read, * for any, none for none", default: "*"),
        ] + delivery(known) + connections(known) + uploads(known)
    }

    private static func delivery(_ known: GatewayConfiguration) -> [ServiceVariable] {
        [
            ServiceVariable(
                "READ_AHEAD_CHUNKS", "the most chunks that a stream holds or waits for",
                default: "\(known.readAheadChunks)"),
            ServiceVariable(
                "READ_AHEAD_BYTES", "how many bytes all streams together hold ahead of their viewers",
                default: "\(known.readAheadBytes)"),
            ServiceVariable(
                "CACHE_BYTES", "how many bytes of chunks are kept for the next viewers", default: "\(known.cacheBytes)"),
            seconds("REQUEST_DEADLINE_SECONDS", "how long a first byte may take", known.requestDeadlineSeconds),
            seconds("CHUNK_DEADLINE_SECONDS", "how long one attempt at a chunk may take", known.chunkDeadlineSeconds),
            seconds("STALL_SECONDS", "how long a stream may stand still before it is cut", known.stallSeconds),
            seconds(
                "VIEWER_STALL_SECONDS", "how long a viewer may take for a chunk before it is cut",
                known.viewerStallSeconds),
        ]
    }

    private static func connections(_ known: GatewayConfiguration) -> [ServiceVariable] {
        [
            ServiceVariable(
                "MAX_CONNECTIONS", "how many connections there may be; further ones wait",
                default: "\(known.maxConnections)"),
            seconds(
                "IDLE_CONNECTION_SECONDS", "how long a connection may be without a request",
                known.idleConnectionSeconds),
            ServiceVariable(
                "MAX_TARGET_BYTES", "the longest target of a request", default: "\(known.maxTargetBytes)"),
            ServiceVariable("MAX_HEADER_BYTES", "the largest request header", default: "\(known.maxHeaderBytes)"),
            ServiceVariable(
                "MAX_HEADER_FIELDS", "the most fields of a request header", default: "\(known.maxHeaderFields)"),
        ]
    }

    private static func uploads(_ known: GatewayConfiguration) -> [ServiceVariable] {
        [
            ServiceVariable("MAX_UPLOAD_BYTES", "the longest upload", default: "\(known.maxUploadBytes)"),
            ServiceVariable(
                "UPLOAD_BYTES", "how many bytes all uploads together hold in memory", default: "\(known.uploadBytes)"),
            seconds("UPLOAD_IDLE_SECONDS", "how long an upload may send nothing", known.uploadIdleSeconds),
            ServiceVariable(
                "MIN_UPLOAD_BYTES_PER_SECOND", "the least bytes a second of an upload, 0 for no limit",
                default: "\(known.minUploadBytesPerSecond)"),
            seconds(
                "UPLOAD_COMMIT_SECONDS", "how long storage may take to put an upload together",
                known.uploadCommitSeconds),
        ]
    }

    private static func seconds(_ name: String, _ meaning: String, _ fallback: Double) -> ServiceVariable {
        ServiceVariable(name, meaning, default: "\(Int(fallback))")
    }
}
