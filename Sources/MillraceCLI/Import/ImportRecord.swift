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
            do {
                objects = try JSONDecoder().decode([JSONObject].self, from: value)
            } catch {
                objects = [try object(value, number: records.count + 1)]
            }
            for object in objects { records.append(try record(object, number: records.count + 1)) }
        }
        return records
    }

    private static func object(_ text: Data, number: Int) throws(ImportFault) -> JSONObject {
        do {
            return try JSONDecoder().decode(JSONObject.self, from: text)
        } catch {
            let reason: String
            if case DecodingError.typeMismatch(_, let context) = error {
                reason = "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
            } else if case DecodingError.dataCorrupted(let context) = error {
                reason = context.debugDescription
            } else {
                reason = "it is no JSON object"
            }
            throw ImportFault("record \(number): \(reason)")
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
                    "record \(number): _id is not an ObjectId of 24 hexadecimal digits: \(text.prefix(64))")
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
        self.description = description
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
            case UInt8(ascii: "\""):
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
