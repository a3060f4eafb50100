import Domain
import ServiceKit

/// Which providers the environment configures: the primary one, and those beside it that may still hold older objects.
///
/// The primary one's variables have to be there. Another provider is configured when the first of its variables is there,
/// and then all of them have to be. GridFS needs none, and is always there.
struct ProviderSettings {
    /// The providers that there can be, by the words of `STORAGE_PROVIDER`.
    enum Choice: String, CaseIterable {
        case filesystem
        case azure
        case s3
        case gridfs
    }

    /// What Azure Blob Storage needs.
    struct Azure {
        let endpoint: ServiceEndpoint
        let container: String
        let key: SharedKey
    }

    /// Where new objects go.
    let primary: Choice
    /// The directory of the filesystem.
    let directory: String?
    /// Azure's settings.
    let azure: Azure?
    /// S3's settings.
    let s3: S3Configuration?

    /// Reads the environment.
    ///
    /// - Throws: ``ServiceKit/SettingError`` that names the variable.
    init(_ settings: Settings) throws {
        primary = try settings.choice(
            "STORAGE_PROVIDER", meaning: "where new objects go", of: Choice.self, default: .filesystem)
        directory = try Self.directory(settings, isNeeded: primary == .filesystem)
        azure = try Self.azure(settings, isNeeded: primary == .azure)
        s3 = try Self.s3(settings, isNeeded: primary == .s3)
    }

    private static func directory(_ settings: Settings, isNeeded: Bool) throws -> String? {
        guard isNeeded || settings.optionalText("STORAGE_DIRECTORY") != nil else { return nil }
        return try settings.text(
            "STORAGE_DIRECTORY", meaning: "the directory that holds the videos", example: "/srv/videos")
    }

    private static func azure(_ settings: Settings, isNeeded: Bool) throws -> Azure? {
        guard isNeeded || settings.optionalText("STORAGE_ACCOUNT_NAME") != nil else { return nil }
        let account = try settings.text(
            "STORAGE_ACCOUNT_NAME", meaning: "the Azure storage account", example: "myvideos")
        let secret = try settings.secret(
            "STORAGE_ACCESS_KEY", meaning: "a key of the Azure storage account, as the portal shows it",
            example: "AAECAwQFBgcICQoLDA0ODw==")
        guard let key = SharedKey(account: account, key: secret) else {
            throw SettingError(
                "STORAGE_ACCESS_KEY", fault: "is not Base64", meaning: "a key of the Azure storage account",
                example: "AAECAwQFBgcICQoLDA0ODw==")
        }
        let address = settings.optionalText("STORAGE_ENDPOINT") ?? "https://\(account).blob.core.windows.net"
        return Azure(
            endpoint: try SettingError.naming("STORAGE_ENDPOINT") { try ServiceEndpoint(address) },
            container: settings.optionalText("STORAGE_CONTAINER") ?? "videos", key: key)
    }

    private static func s3(_ settings: Settings, isNeeded: Bool) throws -> S3Configuration? {
        guard isNeeded || settings.optionalText("S3_BUCKET") != nil else { return nil }
        let bucket = try settings.text("S3_BUCKET", meaning: "the bucket that holds the videos", example: "my-videos")
        let accessKey = try settings.secret(
            "AWS_ACCESS_KEY_ID", meaning: "the id of the key to S3", example: "AKIAIOSFODNN7EXAMPLE")
        let secretKey = try settings.secret(
            "AWS_SECRET_ACCESS_KEY", meaning: "the key to S3", example: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        let region = settings.optionalText("S3_REGION") ?? "us-east-1"
        let address = settings.optionalText("S3_ENDPOINT")
        let endpoint = try SettingError.naming("S3_ENDPOINT") {
            try ServiceEndpoint(address ?? "https://s3.\(region).amazonaws.com")
        }
        // AWS wants the one, compatibles understand the other without further ado.
        let addressing = try settings.choice(
            "S3_ADDRESSING", meaning: "how a bucket is named in requests", of: S3Configuration.Addressing.self,
            default: address == nil ? .virtual : .path)
        return try SettingError.naming("S3_BUCKET") {
            try S3Configuration(
                endpoint: endpoint, region: region, bucket: bucket, accessKey: accessKey, secretKey: secretKey,
                addressing: addressing)
        }
    }
}

extension ProviderName {
    /// The variables that configure the provider, for whoever has to be told; empty when it needs none or is not known.
    var variables: [String] {
        switch self {
        case .filesystem: ["STORAGE_DIRECTORY"]
        case .azure: ["STORAGE_ACCOUNT_NAME", "STORAGE_ACCESS_KEY"]
        case .s3: ["S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        default: []
        }
    }
}
