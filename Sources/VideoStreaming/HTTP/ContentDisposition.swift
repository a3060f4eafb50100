import Domain

/// Names the file that a video would be saved as (RFC 6266).
enum ContentDisposition {
    /// The longest name, in bytes of UTF-8: what file systems take.
    static let maxNameBytes = 200

    /// `inline; filename="…"`, with `filename*` (RFC 8187) beside it when the name is more than plain ASCII: the title with
    /// the extension of the key, else the key's last part.
    static func inline(title: String?, key: StorageKey) -> String {
        let name = fileName(title: title, key: key)
        let plain = asciiName(name)
        let value = "inline; filename=\"\(plain)\""
        return plain == name ? value : "\(value); filename*=UTF-8''\(extended(name))"
    }

    private static func fileName(title: String?, key: StorageKey) -> String {
        let last = key.description.split(separator: "/").last.map(String.init) ?? "video"
        guard let title = title.map(cleaned), !title.isEmpty else { return cleaned(last) }
        let parts = last.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 1, let ending = parts.last, (1...8).contains(ending.utf8.count),
            !title.lowercased().hasSuffix("." + ending.lowercased())
        else { return title }
        return "\(title).\(cleaned(String(ending)))"
    }

    /// Without what no file's name has: control characters and path separators; without blanks at its ends; cut to length.
    private static func cleaned(_ text: String) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            // Marks that turn the direction of writing would show another extension than there is.
            let isDirection = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            if isControl || isDirection { continue }
            name.unicodeScalars.append(scalar == "/" || scalar == "\\" ? "_" : scalar)
        }
        while name.first == " " || name.first == "." { name.removeFirst() }
        while name.utf8.count > maxNameBytes { name.removeLast() }
        while name.last == " " { name.removeLast() }
        return name
    }

    /// For those who know no `filename*`: what is not ASCII, and what a quoted string would have to escape, becomes `_`. A `%`,
    /// too, since some browsers decode it.
    private static func asciiName(_ name: String) -> String {
        String(name.map { $0.isASCII && $0 != "\"" && $0 != "\\" && $0 != "%" ? $0 : "_" })
    }

    /// RFC 8187 section 3.2.1: bytes of UTF-8, percent-encoded but for attr-char.
    private static func extended(_ name: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            if isAttributeCharacter(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isAttributeCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default:
            "!#$&+-.^_`|~".utf8.contains(byte)
        }
    }
}
