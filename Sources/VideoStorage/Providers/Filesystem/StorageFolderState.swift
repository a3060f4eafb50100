import Logging
import ServiceKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a storage folder says of itself when a worker starts: which version its files are of, and whether there is room.
struct StorageFolderState {
    /// The file with the version, below the folder; without one it is 1. A program that arranges the folder in a way that
    /// older ones would misread writes it first.
    static let versionFile = ".millrace-version"
    /// The latest arrangement that this program knows.
    static let knownVersion = 1

    private let path: String

    init(_ path: String) {
        self.path = path
    }

    /// Refuses a folder of a newer version, and logs one that is full: what is there can still be read.
    ///
    /// - Throws: ``ServiceKit/SettingError`` that names the folder. One that is not there is left to others.
    func check(_ logger: Logger) throws(SettingError) {
        let found = try version()
        guard found <= Self.knownVersion else {
            throw .newerData("STORAGE_DIRECTORY", "the folder \(path)", found: found, known: Self.knownVersion)
        }
        guard isFull else { return }
        logger.warning(
            "STORAGE_DIRECTORY \(path) is full: uploads fail until there is room. What is there can be played")
    }

    private func version() throws(SettingError) -> Int {
        guard let file = fopen("\(path)/\(Self.versionFile)", "r") else { return 1 }
        defer { fclose(file) }
        var bytes = [CChar](repeating: 0, count: 32)
        let count = fread(&bytes, 1, bytes.count, file)
        let text = String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let version = Int(text.split(separator: "\n").first ?? ""), version >= 1 else {
            throw SettingError(
                "STORAGE_DIRECTORY",
                reason:
                    "the file \(path)/\(Self.versionFile) holds no version. Put back what was in it, or name another folder"
            )
        }
        return version
    }

    private var isFull: Bool {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return false }
        return status.f_bavail == 0
    }
}
