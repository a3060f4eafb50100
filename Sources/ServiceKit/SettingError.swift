/// A setting that is missing or wrong. One line tells its name, what it is for and what a right one looks like.
public struct SettingError: Error, Sendable, CustomStringConvertible {
    /// The name of the variable.
    public let name: String
    /// The line.
    public let description: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - name: The name of the variable.
    ///   - fault: What is wrong with it: "is missing", or "is not a number".
    ///   - meaning: What it is for, as in "the address of the broker".
    ///   - example: A value that would do.
    public init(_ name: String, fault: String, meaning: String, example: String) {
        self.name = name
        description = "\(name) \(fault). It is \(meaning), for example \(name)=\(example)"
    }

    /// Makes of a setting's text what it stands for: an address, a folder.
    ///
    /// - Parameters:
    ///   - name: The name of the variable.
    ///   - make: Makes it. What it throws must not repeat a secret.
    /// - Returns: What was made.
    /// - Throws: An error that begins with the name and gives the reason.
    public static func naming<Value>(_ name: String, _ make: () throws -> Value) throws(SettingError) -> Value {
        do {
            return try make()
        } catch {
            throw SettingError(name, reason: "\(error)")
        }
    }

    /// Data that a newer version has written, which this one must not touch.
    ///
    /// - Parameters:
    ///   - name: The name of the variable that says where the data is.
    ///   - place: What holds the data, as in `the database "videos"`.
    ///   - found: The version of the data.
    ///   - known: The latest version that this program knows.
    /// - Returns: The error.
    public static func newerData(_ name: String, _ place: String, found: Int, known: Int) -> SettingError {
        SettingError(
            name,
            reason:
                "\(place) has data of version \(found), and this program knows none above \(known). Start the newer "
                + "program, or name another place")
    }

    /// Makes an error about a setting that is there and cannot be used.
    ///
    /// - Parameters:
    ///   - name: The name of the variable.
    ///   - reason: Why, and what to do.
    public init(_ name: String, reason: String) {
        self.name = name
        description = "\(name) cannot be used: \(reason)"
    }
}
