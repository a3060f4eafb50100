internal import CMongoC

/// A parsed connection string with the configuration's defaults in it.
struct DriverURI: ~Copyable {
    /// libmongoc's `mongoc_uri_t`.
    let pointer: OpaquePointer
    /// Whether libmongoc ignored an option or a value that it does not know.
    let hasUnknownOptions: Bool

    /// - Throws: ``MongoError`` of kind `invalidConfiguration` that says what is wrong and never shows the password.
    init(_ configuration: MongoConfiguration) throws(MongoError) {
        let (parsed, hasRemarks) = DriverLibrary.parsingURI {
            // Without its error, which may quote the URI just as its remarks do.
            // C would stop at a NUL, and connect to whatever stands before it.
            configuration.uri.utf8.contains(0) ? nil : mongoc_uri_new_with_error(configuration.uri, nil)
        }
        guard let uri = parsed else {
            throw MongoError(
                .invalidConfiguration,
                "the MongoDB URI is malformed (\(Self.diagnosis(of: configuration.uri))); write it as "
                    + "mongodb://user:password@host:27017/?authSource=admin, with : / ? # [ ] @ in user and password "
                    + "percent-encoded")
        }
        pointer = uri
        hasUnknownOptions = hasRemarks
        setDefault(MONGOC_URI_SERVERSELECTIONTIMEOUTMS, configuration.serverSelectionTimeoutMilliseconds)
        setDefault(MONGOC_URI_CONNECTTIMEOUTMS, configuration.connectTimeoutMilliseconds)
        setDefault(MONGOC_URI_SOCKETTIMEOUTMS, configuration.socketTimeoutMilliseconds)
        setDefault(MONGOC_URI_WAITQUEUETIMEOUTMS, configuration.waitQueueTimeoutMilliseconds)
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, Int32(configuration.poolThreads))
        if mongoc_uri_get_appname(uri) == nil {
            mongoc_uri_set_appname(uri, configuration.appName)
        }
    }

    deinit {
        mongoc_uri_destroy(pointer)
    }

    private func setDefault(_ option: String, _ value: Int32) {
        guard !mongoc_uri_has_option(pointer, option) else { return }
        mongoc_uri_set_option_as_int32(pointer, option, value)
    }

    /// The likely mistake, in words that quote nothing from the text.
    static func diagnosis(of uri: String) -> String {
        if uri.isEmpty { return "it is empty" }
        if uri.utf8.contains(0) { return "it holds a NUL character" }
        let schemes = ["mongodb://", "mongodb+srv://"]
        guard let scheme = schemes.first(where: uri.hasPrefix) else { return "it does not begin with mongodb://" }
        let rest = uri.dropFirst(scheme.count)
        if rest.isEmpty { return "it names no host" }
        if rest.split(separator: "@", omittingEmptySubsequences: false).count > 2 {
            return "it holds more than one @; one in the user name or password is written %40"
        }
        return "check user name and password, host and port, database and options, in this order"
    }
}
