import Domain
import Foundation
import NIOCore
import RPC

/// What the tests of this target send back and forth.
enum Samples {
    static let deadline = Deadline.after(.seconds(60))

    static func id(_ digit: Character) throws -> VideoID {
        guard let id = VideoID(String(repeating: digit, count: 24)) else { throw NoSample() }
        return id
    }

    static func version(_ text: String) throws -> ObjectVersion {
        guard let version = ObjectVersion(text) else { throw NoSample() }
        return version
    }

    static func fullVideo() throws -> Video {
        Video(
            id: try id("a"), videoPath: "films/mill race \"1\" 视频.mp4", title: "Mühle\u{0}\n/\\ 🎬",
            description: "", contentType: "video/mp4", state: .deleted,
            createdAt: Date(timeIntervalSince1970: 1_700_000_000.123),
            updatedAt: Date(timeIntervalSince1970: -0.001), revision: .max)
    }

    static func json(_ text: String) -> RPCPayload {
        RPCPayload(contentType: RPCPayload.json, body: ByteBuffer(string: text))
    }

    /// The JSON of a payload with its members in order: as it is written, their order is by chance.
    static func sorted(_ payload: RPCPayload) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(payload.body.readableBytesView))
        let sorted = try JSONSerialization.data(
            withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: sorted, as: UTF8.self)
    }

    struct NoSample: Error {}
}

/// Runs a call that has to fail, and gives its error.
func failure<Value>(_ call: () async throws(ServiceError) -> Value) async -> ServiceError? {
    do throws(ServiceError) {
        _ = try await call()
        return nil
    } catch {
        return error
    }
}
