import Domain

/// Reads a video's id from a request.
enum VideoIDParameter {
    /// The id in `?id=`.
    ///
    /// - Throws: `invalidArgument` when it is missing, given twice or malformed.
    static func required(_ query: QueryParameters) throws(ServiceError) -> VideoID {
        guard let id = try optional(query) else {
            throw ServiceError(.invalidArgument, "The parameter \"id\" is missing: /video?id={24 hexadecimal digits}.")
        }
        return id
    }

    /// The id in `?id=`, where there is one.
    static func optional(_ query: QueryParameters) throws(ServiceError) -> VideoID? {
        guard let text = try query.value("id") else { return nil }
        return try parse(text)
    }

    /// The id in the path, else the one in `?id=`.
    static func parse(_ text: String?, else query: QueryParameters) throws(ServiceError) -> VideoID {
        guard let text else { return try required(query) }
        return try parse(text)
    }

    /// An id in a path.
    static func parse(_ text: String) throws(ServiceError) -> VideoID {
        guard let id = VideoID(text) else {
            throw ServiceError(.invalidArgument, "A video's id is 24 hexadecimal digits.")
        }
        return id
    }
}
