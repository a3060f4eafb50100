internal import AMQP
internal import Domain
internal import NIOCore

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension FieldTable {
    init(_ fields: [String: RPCValue]) {
        self.init(
            fields.map { name, value in
                switch value {
                case .text(let text): Entry(name, .string(text))
                case .number(let number): Entry(name, .int(number))
                }
            })
    }

    var fields: [String: RPCValue] {
        var fields: [String: RPCValue] = [:]
        for entry in entries where !Header.isOfProtocol(entry.name) {
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
    var payload: RPCPayload {
        var payload = RPCPayload(
            contentType: properties.contentType ?? RPCPayload.bytes, fields: properties.headers.fields, body: body)
        payload.bodyChecksum = bodyChecksum
        return payload
    }

    init(result: Result<RPCPayload, ServiceError>) {
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

    func result(status: String) -> Result<RPCPayload, ServiceError> {
        guard status != Header.ok else { return .success(payload) }
        let words = try? JSONDecoder().decode(ErrorBody.self, from: Data(body.readableBytesView)).message
        return .failure(
            ServiceError(ServiceError.Code(rawValue: status) ?? .internal, words ?? "The worker gave no reason."))
    }
}
