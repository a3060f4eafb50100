import Domain

/// Which bucket, where, and with which key.
struct S3Configuration: Sendable {
    /// How a bucket is named in a request.
    enum Addressing: String, Sendable, CaseIterable {
        /// `https://host/bucket/key`: what compatibles understand without further ado.
        case path
        /// `https://bucket.host/key`: what AWS wants.
        case virtual
    }

    /// Where the service is, without the bucket.
    let endpoint: ServiceEndpoint
    /// The region that is signed.
    let region: String
    /// The bucket; it has to be there.
    let bucket: String
    /// The id of the key.
    let accessKey: String
    /// The key. Never logged.
    let secretKey: String
    /// How the bucket is named.
    let addressing: Addressing

    /// Puts a configuration together.
    ///
    /// - Throws: `invalidArgument` when the bucket's name cannot be one.
    init(
        endpoint: ServiceEndpoint, region: String, bucket: String, accessKey: String, secretKey: String,
        addressing: Addressing
    ) throws(ServiceError) {
        let isName = bucket.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isName, (3...63).contains(bucket.utf8.count) else {
            throw ServiceError(
                .invalidArgument, "a bucket's name has 3 to 63 small letters, digits, hyphens and dots.")
        }
        self.endpoint = endpoint
        self.region = region
        self.bucket = bucket
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.addressing = addressing
    }
}
