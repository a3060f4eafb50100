import AsyncHTTPClient
import Domain
import Foundation
import NIOCore
import NIOHTTP1

/// Speaks to the gateway as any HTTP client would.
struct GatewayClient: Sendable {
    /// What the gateway answered.
    struct Answer: Sendable {
        /// The status.
        var status: UInt
        /// The body, at most ``maxAnswerBytes`` of it.
        var body: Data

        /// What a problem document says, else the status.
        var words: String {
            struct Problem: Decodable {
                var detail: String
            }
            let problem = try? JSONDecoder().decode(Problem.self, from: body)
            return problem?.detail.printable ?? "the gateway answered with the status \(status)"
        }
    }

    /// Why it could not be done; one line for a person.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Records are small; more is no answer of a gateway.
    private static let maxAnswerBytes = 1 << 20
    /// How long anything but an upload may take, in seconds.
    private static let requestSeconds: Int64 = 30

    private let address: String
    private let token: String

    /// A client of one gateway.
    ///
    /// - Throws: ``Failure`` when the address is none.
    init(address: String, token: String) throws {
        guard let url = URL(string: address), let scheme = url.scheme?.lowercased(),
            ["http", "https"].contains(scheme),
            url.host?.isEmpty == false
        else {
            throw Failure(description: "GATEWAY_URL is no address of a gateway; write it like http://localhost:4000")
        }
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
        self.token = token
    }

    /// A request with a JSON body, or none.
    func send(
        _ method: HTTPMethod, _ path: String, json: [String: String]? = nil, fields: [(String, String)] = []
    ) async throws -> Answer {
        var request = request(method, path, fields)
        if let json {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(json)))
        }
        return try await execute(request, deadline: .now() + .seconds(Self.requestSeconds))
    }

    /// Sends a file's bytes. It takes as long as it takes, and the gateway gives up a line that is too slow; but a gateway that
    /// neither takes bytes nor answers for so long (`silence`) is given up.
    func upload(
        _ path: String, _ bytes: FileBytes, length: Int64, fields: [(String, String)], silence: Duration
    ) async throws -> Answer {
        let heard = Silence(limit: silence)
        let onProgress = bytes.onProgress
        let bytes = FileBytes(file: bytes.file) { count in
            heard.isBroken()
            onProgress(count)
        }
        var request = request(.PUT, path, fields)
        request.body = .stream(bytes, length: .known(length))
        return try await withThrowingTaskGroup(of: Answer?.self) { [request] group in
            group.addTask { try await execute(request, deadline: .distantFuture) }
            group.addTask {
                try await heard.lasts()
                return nil
            }
            defer { group.cancelAll() }
            if let answer = try await group.next() ?? nil { return answer }
            throw Failure(
                description:
                    "The gateway at \(address) has neither taken bytes nor answered for \(silence.components.seconds) s."
            )
        }
    }

    private func request(_ method: HTTPMethod, _ path: String, _ fields: [(String, String)]) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: address + path)
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        request.headers.add(name: "User-Agent", value: "millrace")
        for (name, value) in fields { request.headers.add(name: name, value: value) }
        return request
    }

    private func execute(_ request: HTTPClientRequest, deadline: NIODeadline) async throws -> Answer {
        do {
            let response = try await HTTPClient.shared.execute(request, deadline: deadline)
            let body = try await response.body.collect(upTo: Self.maxAnswerBytes)
            return Answer(status: response.status.code, body: Data(body.readableBytesView))
        } catch let failure as Failure {
            throw failure
        } catch let error as FileBytes.ReadFailure {
            throw Failure(description: error.description)
        } catch {
            throw Failure(description: "The gateway at \(address) does not answer as it should: \(error)")
        }
    }
}
