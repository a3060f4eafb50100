/// Entity tags as validators and back. A validator has fewer characters: those that it cannot have are written as `_XX`.
enum EntityTag {
    /// The validator of a strong entity tag; `nil` for a weak one, which does not promise equal bytes, and for one too long.
    static func validator(of tag: String) -> BlobValidator? {
        guard !tag.hasPrefix("W/") else { return nil }
        // Listings of some services leave the quotation marks away.
        var text = tag[...]
        if text.hasPrefix("\""), text.hasSuffix("\""), text.utf8.count >= 2 { text = text.dropFirst().dropLast() }
        let encoded = PercentEncoding.encode(String(text)).utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "%"): [UInt8(ascii: "_")]
            case UInt8(ascii: "_"): Array("_5F".utf8)
            case UInt8(ascii: "~"): Array("_7E".utf8)
            default: [byte]
            }
        }
        return BlobValidator(String(decoding: encoded, as: UTF8.self))
    }

    /// The tag that a validator was made of, with its quotation marks; `nil` when it was made of none.
    static func tag(of validator: BlobValidator) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(validator.description.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "_") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let decoded = UInt8(digits, radix: 16) else { return nil }
            // A control character in a header field would be a second one.
            guard decoded >= 0x20, decoded != 0x7F, decoded != UInt8(ascii: "\"") else { return nil }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self).map { "\"\($0)\"" }
    }
}
