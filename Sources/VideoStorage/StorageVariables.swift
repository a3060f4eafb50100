import ServiceKit

extension VideoStorage {
    /// Its settings, for `--help`.
    static var variables: [ServiceVariable] {
        let rules = CollectionRules()
        return [ServiceVariable("PORT", "the port of /healthz, /readyz and /metrics", default: nil)]
            + ServiceVariable.database + providers
            + [
                ServiceVariable(
                    "ABANDONED_UPLOAD_SECONDS", "when an upload that nobody touches is given up",
                    default: "\(rules.abandonedSeconds)"),
                ServiceVariable(
                    "RETIRED_BLOB_SECONDS",
                    "for how long bytes that were replaced, deleted or moved can still be read",
                    default: "\(rules.retiredSeconds)"),
                ServiceVariable(
                    "COLLECT_SECONDS", "the pause after which a worker clears up again",
                    default: "\(rules.pauseSeconds)"),
            ]
    }

    private static var providers: [ServiceVariable] {
        [
            ServiceVariable(
                "STORAGE_PROVIDER", "where new objects go: filesystem, azure, s3 or gridfs", default: "filesystem"),
            ServiceVariable(
                "STORAGE_DIRECTORY", "filesystem: the folder that holds the videos", default: "has to be given with it"),
            ServiceVariable(
                "STORAGE_ACCOUNT_NAME", "azure: the storage account", default: "has to be given with it"),
            ServiceVariable(
                "STORAGE_ACCESS_KEY, STORAGE_ACCESS_KEY_FILE", "azure: one of its keys, or a file with it",
                default: "has to be given with it"),
            ServiceVariable("STORAGE_CONTAINER", "azure: the container, which has to be there", default: "videos"),
            ServiceVariable(
                "STORAGE_ENDPOINT", "azure: where the account's blobs are",
                default: "https://<account>.blob.core.windows.net"),
            ServiceVariable("S3_BUCKET", "s3: the bucket, which has to be there", default: "has to be given with it"),
            ServiceVariable(
                "AWS_ACCESS_KEY_ID, AWS_ACCESS_KEY_ID_FILE", "s3: the key's id, or a file with it",
                default: "has to be given with it"),
            ServiceVariable(
                "AWS_SECRET_ACCESS_KEY, AWS_SECRET_ACCESS_KEY_FILE", "s3: the key, or a file with it",
                default: "has to be given with it"),
            ServiceVariable("S3_REGION", "s3: the region", default: "us-east-1"),
            ServiceVariable(
                "S3_ENDPOINT", "s3: where the service is", default: "https://s3.<region>.amazonaws.com"),
            ServiceVariable(
                "S3_ADDRESSING", "s3: virtual (https://bucket.host/key) or path (https://host/bucket/key)",
                default: "path with S3_ENDPOINT, else virtual"),
        ]
    }
}
