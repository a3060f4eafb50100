import Domain
import Foundation

/// A record in MongoDB extended JSON, as `mongoexport` writes it and `mongoimport` reads it.
struct ImportRecord: Equatable {
    let id: VideoID?
    let videoPath: String
    let title: String?
    let description: String?
    let contentType: String?

    /// The record as the metadata service takes it.
    var video: NewVideo {
        NewVideo(id: id, videoPath: videoPath, title: title, description: description, contentType: contentType)
    }

    /// Reads all records of a file: one object, an array of objects, or objects one after the other.
    ///
    /// - Throws: ``ImportFault`` that says which record is wrong, and how.
    static func records(in text: Data) throws(ImportFault) -> [ImportRecord] {
        var records: [ImportRecord] = []
        for value in try JSONSequence.values(in: text) {
            let objects: [JSONObject]
            if value.first == UInt8(ascii: "[") {
                objects = try decode([JSONObject].self, from: value, after: records.count)
            } else {
                objects = [try decode(JSONObject.self, from: value, after: records.count)]
            }
            for object in objects { records.append(try record(object, number: records.count + 1)) }
        }
        return records
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, from text: Data, after count: Int
    ) throws(ImportFault) -> Value {
        do {
            return try JSONDecoder().decode(type, from: text)
        } catch {
            throw ImportFault(error, after: count)
        }
    }

    private static func record(_ object: JSONObject, number: Int) throws(ImportFault) -> ImportRecord {
        guard let videoPath = object.videoPath else {
            throw ImportFault("record \(number) has no videoPath; it is the storage key of the video's bytes")
        }
        var id: VideoID?
        if let text = object._id?.text {
            guard let known = VideoID(text) else {
                throw ImportFault(
                    "record \(number): _id is not an ObjectId of 24 hexadecimal digits: \(text.beginning)")
            }
            id = known
        }
        return ImportRecord(
            id: id, videoPath: videoPath, title: object.title, description: object.description,
            contentType: object.contentType)
    }
}

/// Why a file cannot be imported, in one line.
struct ImportFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description.printable
    }

    /// Why a record cannot be read, by its number and its member.
    ///
    /// - Parameters:
    ///   - error: What the decoder says.
    ///   - count: How many records stand before the object or the array that it read.
    fileprivate init(_ error: any Error, after count: Int) {
        guard let context = (error as? DecodingError)?.context else {
            self.init("record \(count + 1): it cannot be read")
            return
        }
        // In an array, a path begins with the place of the element.
        let index = context.codingPath.first?.intValue
        let member = context.codingPath.dropFirst(index == nil ? 0 : 1).map(\.stringValue).joined(separator: ".")
        let place = "record \(count + 1 + (index ?? 0)): " + (member.isEmpty ? "" : "\(member): ")
        self.init(place + context.debugDescription.beginning)
    }
}

extension DecodingError {
    fileprivate var context: Context? {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            context
        @unknown default: nil
        }
    }
}

extension String {
    /// The first 100 code points: enough to know a value by. A `Character` may be of any length.
    fileprivate var beginning: String {
        String(String.UnicodeScalarView(unicodeScalars.prefix(100)))
    }
}

private struct JSONObject: Decodable {
    /// `{"$oid": "…"}` or plain text.
    struct ObjectID: Decodable {
        let text: String

        private enum Keys: String, CodingKey {
            case oid = "$oid"
        }

        init(from decoder: any Decoder) throws {
            if let container = try? decoder.container(keyedBy: Keys.self), container.contains(.oid) {
                text = try container.decode(String.self, forKey: .oid)
            } else {
                text = try decoder.singleValueContainer().decode(String.self)
            }
        }
    }

    let _id: ObjectID?  // swift-format-ignore: NoLeadingUnderscores
    let videoPath: String?
    let title: String?
    let description: String?
    let contentType: String?
}

/// Splits JSON values that stand one after the other, as `mongoexport` writes them.
enum JSONSequence {
    /// - Throws: ``ImportFault`` when a value does not end.
    static func values(in text: Data) throws(ImportFault) -> [Data] {
        var values: [Data] = []
        var start: Data.Index?
        var depth = 0
        var (isText, isEscaped) = (false, false)
        for index in text.indices {
            let byte = text[index]
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\"") where depth > 0:
                isText = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if depth == 0 { start = index }
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                guard depth >= 0 else { throw ImportFault("a bracket is closed that was not opened (byte \(index))") }
                if depth == 0, let from = start {
                    values.append(text[from...index])
                    start = nil
                }
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"):
                break
            default:
                guard depth > 0 || isByteOrderMark(index, in: text) else {
                    throw ImportFault("there is text outside of any record (byte \(index))")
                }
            }
        }
        guard depth == 0, !isText else { throw ImportFault("the last record does not end") }
        return values
    }

    private static func isByteOrderMark(_ index: Data.Index, in text: Data) -> Bool {
        index < text.startIndex + 3 && text.starts(with: [0xEF, 0xBB, 0xBF])
    }
}
