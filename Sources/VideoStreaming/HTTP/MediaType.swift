import Domain

/// Chooses the `Content-Type` of an object's bytes.
enum MediaType {
    /// What is sent where nothing better is known.
    static let unknown = "application/octet-stream"

    /// What storage knows, else what the record says, else what the name's extension suggests.
    ///
    /// Storage providers label a blob that was put there without a type as a stream of octets, which is no knowledge at
    /// all (and no browser plays it), so that label counts only when nothing else is known. A type that is not of the
    /// form `type/subtype` with optional parameters is passed over.
    static func choose(stored: String?, recorded: String?, key: StorageKey) -> String {
        for candidate in [stored, recorded] {
            if let candidate, isWellFormed(candidate), !isMeaningless(candidate) { return candidate }
        }
        return MediaTypeByName.of(key.description) ?? unknown
    }

    /// What a client says of the bytes that it uploads; `nil` when that is no knowledge: some clients label every body as a
    /// stream of octets or as a form.
    static func given(_ type: String?) -> String? {
        guard let type, isWellFormed(type), !isMeaningless(type),
            !type.lowercased().hasPrefix("application/x-www-form-urlencoded")
        else { return nil }
        return type
    }

    private static func isMeaningless(_ type: String) -> Bool {
        ["application/octet-stream", "binary/octet-stream"].contains(type.lowercased())
    }

    /// `token "/" token`, then nothing or parameters in printable ASCII.
    private static func isWellFormed(_ type: String) -> Bool {
        guard type.utf8.count <= 255, type.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else { return false }
        let essence = type.prefix { $0 != ";" }.split(separator: "/", omittingEmptySubsequences: false)
        guard essence.count == 2 else { return false }
        return isToken(essence[0]) && isToken(essence[1].trimmingTrailingBlanks())
    }

    private static func isToken(_ text: Substring) -> Bool {
        let punctuation = "!#$%&'*+-.^_`|~"
        return !text.isEmpty
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || punctuation.contains($0)) }
    }
}

extension Substring {
    fileprivate func trimmingTrailingBlanks() -> Substring {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
