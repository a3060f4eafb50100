public import Configuration

/// Reads a process's settings from its environment.
///
/// Each is asked for with what it means and an example, so that whoever starts a service without it is told.
public struct Settings: Sendable {
    /// One for each provider, the first that knows a name wins.
    private let readers: [ConfigReader]

    /// Settings out of the process's environment variables.
    public init() {
        self.init(EnvironmentVariablesProvider())
    }

    /// Settings out of providers; the first that knows a name wins.
    public init(_ providers: any ConfigProvider...) {
        readers = providers.map { ConfigReader(provider: $0) }
    }

    /// A text that has to be there.
    ///
    /// - Parameters:
    ///   - name: The variable.
    ///   - meaning: What it is for, as in "the address of the broker".
    ///   - example: A value that would do.
    /// - Returns: The text; never empty.
    /// - Throws: ``SettingError`` when it is missing or empty.
    public func text(_ name: String, meaning: String, example: String) throws(SettingError) -> String {
        guard let value = optionalText(name) else {
            throw SettingError(name, fault: "is missing", meaning: meaning, example: example)
        }
        return value
    }

    /// A text that may be missing; an empty one counts as missing.
    public func optionalText(_ name: String) -> String? {
        for reader in readers {
            if let value = Self.value(name, reader) { return value }
        }
        return nil
    }

    /// A secret, or the name of a file that holds it: the variable, or the one with `_FILE` behind its name. One line break at
    /// the end of the file is no part of the secret.
    ///
    /// - Parameter name: The variable.
    /// - Returns: The secret; `nil` when there is neither.
    /// - Throws: ``SettingError`` when both are there, or the file cannot be read. It never holds the secret.
    public func optionalSecret(_ name: String) throws(SettingError) -> String? {
        let fileName = "\(name)_FILE"
        for reader in readers {
            let (value, file) = (Self.value(name, reader), Self.value(fileName, reader))
            if value != nil, file != nil {
                throw SettingError(name, reason: "\(fileName) is set as well. Set one of the two")
            }
            if let value { return value }
            if let file { return try SecretFile.read(file, for: fileName) }
        }
        return nil
    }

    /// A secret that has to be there; see ``optionalSecret(_:)``.
    ///
    /// - Parameters:
    ///   - name: The variable.
    ///   - meaning: What it is for.
    ///   - example: A value that would do.
    /// - Returns: The secret; never empty.
    /// - Throws: ``SettingError`` when it is missing, or cannot be had.
    public func secret(_ name: String, meaning: String, example: String) throws(SettingError) -> String {
        guard let value = try optionalSecret(name) else {
            throw SettingError(
                name, fault: "is missing", meaning: "\(meaning) (\(name)_FILE may name a file that holds it)",
                example: example)
        }
        return value
    }

    private static func value(_ name: String, _ reader: ConfigReader) -> String? {
        guard let value = reader.string(forKey: ConfigKey([name])), !value.isEmpty else { return nil }
        return value
    }

    /// A whole number within bounds.
    ///
    /// - Parameters:
    ///   - name: The variable.
    ///   - meaning: What it is for, with its unit.
    ///   - range: What is accepted.
    ///   - fallback: What counts when it is missing; `nil` when it has to be there.
    /// - Returns: The number.
    /// - Throws: ``SettingError`` when it is missing without a fallback, no number, or out of bounds.
    public func number(
        _ name: String, meaning: String, in range: ClosedRange<Int>, default fallback: Int?
    ) throws(SettingError) -> Int {
        let example = String(fallback ?? range.lowerBound)
        guard let text = optionalText(name) else {
            guard let fallback else {
                throw SettingError(name, fault: "is missing", meaning: meaning, example: example)
            }
            return fallback
        }
        guard let value = Int(text) else {
            throw SettingError(name, fault: "is not a whole number", meaning: meaning, example: example)
        }
        guard range.contains(value) else {
            throw SettingError(
                name, fault: "is not within \(range.lowerBound) to \(range.upperBound)", meaning: meaning,
                example: example)
        }
        return value
    }

    /// One of several words.
    ///
    /// - Parameters:
    ///   - name: The variable.
    ///   - meaning: What it is for.
    ///   - type: The words, as the raw values of an enumeration.
    ///   - fallback: What counts when it is missing.
    /// - Returns: The choice.
    /// - Throws: ``SettingError`` when it is another word.
    public func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, meaning: String, of type: Choice.Type, default fallback: Choice
    ) throws(SettingError) -> Choice {
        guard let text = optionalText(name) else { return fallback }
        guard let choice = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingError(name, fault: "is none of \(words)", meaning: meaning, example: fallback.rawValue)
        }
        return choice
    }
}
