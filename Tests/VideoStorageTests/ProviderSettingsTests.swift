import Configuration
import Domain
import ServiceKit
import Testing

@testable import VideoStorage

@Suite struct ProviderSettingsTests {
    private static let azure = [
        "STORAGE_ACCOUNT_NAME": "myvideos", "STORAGE_ACCESS_KEY": "AAECAwQFBgcICQoLDA0ODw==",
    ]
    private static let s3 = [
        "S3_BUCKET": "my-videos", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
    ]

    private func read(_ values: [String: String]) throws -> ProviderSettings {
        try ProviderSettings(Settings(EnvironmentVariablesProvider(environmentVariables: values)))
    }

    /// What is said of the first setting that cannot be used.
    private func fault(_ values: [String: String]) -> String? {
        do {
            _ = try read(values)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func filesystemIsTheDefaultAndNeedsItsDirectory() throws {
        #expect(try read(["STORAGE_DIRECTORY": "/srv/videos"]).primary == .filesystem)
        #expect(fault([:])?.hasPrefix("STORAGE_DIRECTORY is missing") == true)
        #expect(fault(["STORAGE_PROVIDER": "tape"])?.hasPrefix("STORAGE_PROVIDER is none of") == true)
    }

    @Test func gridFSNeedsNothing() throws {
        let settings = try read(["STORAGE_PROVIDER": "gridfs"])
        #expect(settings.directory == nil && settings.azure == nil && settings.s3 == nil)
    }

    @Test func eachVariableOfAzureIsNamedWhenItIsMissingOrWrong() throws {
        let azure = Self.azure.merging(["STORAGE_PROVIDER": "azure"]) { $1 }
        let settings = try read(azure)
        #expect(settings.azure?.endpoint.address("/x", query: "") == "https://myvideos.blob.core.windows.net/x")
        #expect(settings.azure?.container == "videos")
        for name in Self.azure.keys {
            #expect(fault(azure.filter { $0.key != name })?.hasPrefix("\(name) is missing") == true)
        }
        #expect(
            fault(azure.merging(["STORAGE_ACCESS_KEY": "?"]) { $1 })?.hasPrefix("STORAGE_ACCESS_KEY is not") == true)
        #expect(fault(azure.merging(["STORAGE_ENDPOINT": "x"]) { $1 })?.hasPrefix("STORAGE_ENDPOINT cannot") == true)
        let emulator = azure.merging(["STORAGE_ENDPOINT": "http://127.0.0.1:10000/myvideos"]) { $1 }
        #expect(try read(emulator).azure?.endpoint.basePath == "/myvideos")
    }

    @Test func eachVariableOfS3IsNamedWhenItIsMissingOrWrong() throws {
        let s3 = Self.s3.merging(["STORAGE_PROVIDER": "s3", "S3_REGION": "eu-central-1"]) { $1 }
        let settings = try read(s3)
        #expect(settings.s3?.endpoint.host == "s3.eu-central-1.amazonaws.com")
        #expect(settings.s3?.addressing == .virtual)
        for name in Self.s3.keys {
            #expect(fault(s3.filter { $0.key != name })?.hasPrefix("\(name) is missing") == true)
        }
        #expect(try read(s3.merging(["S3_ENDPOINT": "http://minio:9000"]) { $1 }).s3?.addressing == .path)
        #expect(fault(s3.merging(["S3_BUCKET": "My Videos"]) { $1 })?.hasPrefix("S3_BUCKET cannot") == true)
        #expect(fault(s3.merging(["S3_ADDRESSING": "x"]) { $1 })?.hasPrefix("S3_ADDRESSING is none of") == true)
        #expect(fault(s3.merging(["S3_ENDPOINT": "x"]) { $1 })?.contains("secret") == false)
    }

    @Test func providersStandSideBySide() throws {
        let all = Self.azure.merging(Self.s3) { $1 }.merging(["STORAGE_DIRECTORY": "/srv/videos"]) { $1 }
        let settings = try read(all)
        #expect(settings.azure != nil && settings.s3 != nil && settings.directory != nil)
        // The first variable says that it is wanted; then the others are.
        let half = ["STORAGE_PROVIDER": "gridfs", "S3_BUCKET": "my-videos"]
        #expect(fault(half)?.hasPrefix("AWS_ACCESS_KEY_ID is missing") == true)
    }
}
